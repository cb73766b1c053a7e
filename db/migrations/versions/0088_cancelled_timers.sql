CREATE INDEX interventions_cancelled_timers ON interventions (subject, at) WHERE action = 'timer.cancel';
