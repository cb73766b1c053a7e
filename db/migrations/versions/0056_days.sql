-- The figures of a day are counted from the steps and the refusals of that day alone.
CREATE INDEX operate_logs_day ON operate_logs (at)
    WHERE pre_state <> cur_state
        AND (cur_state IN ('awaiting_payment', 'paid', 'cancelled', 'rejected', 'delivered', 'delivery_failed')
            OR (pre_state = 'shipped' AND cur_state = 'completed'));
CREATE INDEX commands_refused ON commands (decided_at) WHERE outcome_type IN ('command.rejected.v1', 'order.rejected.v1');
