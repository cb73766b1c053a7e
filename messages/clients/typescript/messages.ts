// The types of every message. Made from the contract by `oms contracts export`. Do not edit it.

/** On whose behalf a command comes. */
export interface AfterSaleApplyActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** `qty` units of one line of the order; for an exchange, the SKU that the buyer wants in their place. */
export interface AfterSaleApplyAppliedLine {
  line_no: number;
  qty: number;
  wanted_sku_id?: string | null;
}

/** Open a case. */
export interface AfterSaleApply {
  actor: AfterSaleApplyActor;
  description?: string | null;
  evidence?: Array<string>;
  lines?: Array<AfterSaleApplyAppliedLine>;
  order_id: string;
  reason_code?: string | null;
  request_id: string;
  type: "refund_only" | "return_refund" | "exchange";
}

/** On whose behalf a command comes. */
export interface AfterSaleApprovedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleApprovedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleApprovedCause {
  actor: AfterSaleApprovedActor | null;
  id: string;
  type: string;
}

/** The seller, or the shop's policy, agreed. */
export interface AfterSaleApproved {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleApprovedCause;
  currency: string;
  lines: Array<AfterSaleApprovedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleCancelActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The buyer does not want it any more: before the review, or before the goods are sent back. */
export interface AfterSaleCancel {
  actor: AfterSaleCancelActor;
  case_id: string;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface AfterSaleCloseActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** An operator ends a case that goes no further: nothing arrives, the goods were refused, or the refund failed. */
export interface AfterSaleClose {
  actor: AfterSaleCloseActor;
  case_id: string;
  note?: string | null;
  order_id: string;
  reason_code: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface AfterSaleClosedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleClosedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleClosedCause {
  actor: AfterSaleClosedActor | null;
  id: string;
  type: string;
}

/** The case has ended without what was wanted. */
export interface AfterSaleClosed {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleClosedCause;
  currency: string;
  lines: Array<AfterSaleClosedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleCompletedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleCompletedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleCompletedCause {
  actor: AfterSaleCompletedActor | null;
  id: string;
  type: string;
}

/** The case has ended: the money is back, or the other goods have arrived. */
export interface AfterSaleCompleted {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleCompletedCause;
  currency: string;
  lines: Array<AfterSaleCompletedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** The units of one line in a case: claimed, then accepted or refused by the inspection, given back or replaced. */
export interface AfterSaleDescribedCaseLineShown {
  accepted_qty: number;
  line_no: number;
  name: string;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  replaced_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** A refund of a case, under way or ended. */
export interface AfterSaleDescribedCaseRefundShown {
  amount: AfterSaleDescribedMoneyShown;
  finished_at: string | null;
  provider: string;
  reason_code: string | null;
  refund_no: string;
  requested_at: string | null;
  state: string;
}

/** One case with its lines, steps and refunds. */
export interface AfterSaleDescribedCaseShown {
  amount: AfterSaleDescribedMoneyShown | null;
  carrier: string | null;
  case_id: string;
  case_no: string;
  completed_at: string | null;
  evidence: Array<string>;
  exchange: AfterSaleDescribedExchangeShown | null;
  expected: AfterSaleDescribedMoneyShown | null;
  granted: AfterSaleDescribedMoneyShown | null;
  lines: Array<AfterSaleDescribedCaseLineShown>;
  merchant_fault: boolean;
  order_id: string;
  order_no: string | null;
  owed: AfterSaleDescribedMoneyShown | null;
  processed_at: string | null;
  reason_code: string;
  refunds: Array<AfterSaleDescribedCaseRefundShown>;
  requested_at: string;
  source: string;
  state: string;
  steps: Array<AfterSaleDescribedCaseStepShown>;
  tracking_no: string | null;
  type: string;
  units: number;
  until: string | null;
  user_id: string;
  version: number;
}

/** One step of a case. */
export interface AfterSaleDescribedCaseStepShown {
  actor_id: string;
  actor_type: string;
  at: string;
  cause_id: string;
  cause_type: string;
  previous: string;
  reason_code: string | null;
  state: string;
  trigger: string;
  version: number;
  written: string | null;
}

/** An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back. */
export interface AfterSaleDescribedExchangeShown {
  case_id: string;
  case_no: string;
  first_order_id: string;
  first_order_no: string | null;
  order_id: string;
  order_no: string | null;
  placed_at: string;
  state: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface AfterSaleDescribedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to after_sale.get: the case, or all cases of the order, the oldest first. */
export interface AfterSaleDescribed {
  cases: Array<AfterSaleDescribedCaseShown>;
}

/** On whose behalf a command comes. */
export interface AfterSaleGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for everything about one case, by its id or its number, or about all cases of one order. */
export interface AfterSaleGet {
  actor: AfterSaleGetActor;
  case?: string | null;
  order?: string | null;
  reveal_reason?: string | null;
}

/** On whose behalf a command comes. */
export interface AfterSaleInspectActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** `qty` units of one line, and what becomes of them. */
export interface AfterSaleInspectInspectedLine {
  disposition: "restock" | "quarantine" | "write_off" | "send_back" | "lost";
  line_no: number;
  qty: number;
}

/** The warehouse has inspected units that came back. */
export interface AfterSaleInspect {
  actor: AfterSaleInspectActor;
  case_id: string;
  lines: Array<AfterSaleInspectInspectedLine>;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface AfterSaleInspectFailedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleInspectFailedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleInspectFailedCause {
  actor: AfterSaleInspectFailedActor | null;
  id: string;
  type: string;
}

/** All units are inspected, and none is accepted. */
export interface AfterSaleInspectFailed {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleInspectFailedCause;
  currency: string;
  lines: Array<AfterSaleInspectFailedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleInspectPassedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleInspectPassedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleInspectPassedCause {
  actor: AfterSaleInspectPassedActor | null;
  id: string;
  type: string;
}

/** All units are inspected, and some or all are accepted. */
export interface AfterSaleInspectPassed {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleInspectPassedCause;
  currency: string;
  lines: Array<AfterSaleInspectPassedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleInspectingActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleInspectingCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleInspectingCause {
  actor: AfterSaleInspectingActor | null;
  id: string;
  type: string;
}

/** Some units are inspected, others are not yet. */
export interface AfterSaleInspecting {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleInspectingCause;
  currency: string;
  lines: Array<AfterSaleInspectingCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleListActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for a page of cases. */
export interface AfterSaleList {
  actor: AfterSaleListActor;
  cursor?: string | null;
  limit?: number;
  order?: string | null;
  requested_before?: string | null;
  requested_from?: string | null;
  sort?: "newest" | "waiting";
  states?: Array<string>;
  type?: string | null;
  user_id?: string | null;
}

/** One case in a list: what it is about, and how far it is. */
export interface AfterSaleListedCaseSummary {
  amount: AfterSaleListedMoneyShown | null;
  case_id: string;
  case_no: string;
  completed_at: string | null;
  exchange: AfterSaleListedExchangeShown | null;
  order_id: string;
  order_no: string | null;
  processed_at: string | null;
  reason_code: string;
  requested_at: string;
  source: string;
  state: string;
  type: string;
  units: number;
  user_id: string;
  version: number;
}

/** An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back. */
export interface AfterSaleListedExchangeShown {
  case_id: string;
  case_no: string;
  first_order_id: string;
  first_order_no: string | null;
  order_id: string;
  order_no: string | null;
  placed_at: string;
  state: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface AfterSaleListedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to after_sale.list. */
export interface AfterSaleListed {
  cases: Array<AfterSaleListedCaseSummary>;
  next_cursor: string | null;
}

/** On whose behalf a command comes. */
export interface AfterSaleReceiveActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The goods of a case are at the warehouse, whatever their carrier reports. */
export interface AfterSaleReceive {
  actor: AfterSaleReceiveActor;
  case_id: string;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface AfterSaleRefundFailedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleRefundFailedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleRefundFailedCause {
  actor: AfterSaleRefundFailedActor | null;
  id: string;
  type: string;
}

/** The provider refused the refund: an operator requests it again (refund.request) or closes the case. */
export interface AfterSaleRefundFailed {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleRefundFailedCause;
  currency: string;
  lines: Array<AfterSaleRefundFailedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleRefundingActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleRefundingCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleRefundingCause {
  actor: AfterSaleRefundingActor | null;
  id: string;
  type: string;
}

/** The money is on its way back. refund.requested announces the refund itself. */
export interface AfterSaleRefunding {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleRefundingCause;
  currency: string;
  lines: Array<AfterSaleRefundingCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleRejectedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleRejectedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleRejectedCause {
  actor: AfterSaleRejectedActor | null;
  id: string;
  type: string;
}

/** The seller, or the shop's policy, did not agree. */
export interface AfterSaleRejected {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleRejectedCause;
  currency: string;
  lines: Array<AfterSaleRejectedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleReopenActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** A rejected case is reviewed once more. */
export interface AfterSaleReopen {
  actor: AfterSaleReopenActor;
  case_id: string;
  description?: string | null;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface AfterSaleReopenedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleReopenedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleReopenedCause {
  actor: AfterSaleReopenedActor | null;
  id: string;
  type: string;
}

/** A rejected case waits for a review once more. */
export interface AfterSaleReopened {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleReopenedCause;
  currency: string;
  lines: Array<AfterSaleReopenedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleRequestedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleRequestedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleRequestedCause {
  actor: AfterSaleRequestedActor | null;
  id: string;
  type: string;
}

/** A case was opened and waits for the seller's review. */
export interface AfterSaleRequested {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleRequestedCause;
  currency: string;
  lines: Array<AfterSaleRequestedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleReshippingActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleReshippingCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleReshippingCause {
  actor: AfterSaleReshippingActor | null;
  id: string;
  type: string;
}

/** Other goods go to the buyer, as the order `exchange_order_id`. */
export interface AfterSaleReshipping {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleReshippingCause;
  currency: string;
  difference: number;
  exchange_order_id: string;
  lines: Array<AfterSaleReshippingCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleReturnAwaitedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleReturnAwaitedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleReturnAwaitedCause {
  actor: AfterSaleReturnAwaitedActor | null;
  id: string;
  type: string;
}

/** The buyer has until the policy's time to send the goods back. */
export interface AfterSaleReturnAwaited {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleReturnAwaitedCause;
  currency: string;
  lines: Array<AfterSaleReturnAwaitedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleReturnReceivedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleReturnReceivedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleReturnReceivedCause {
  actor: AfterSaleReturnReceivedActor | null;
  id: string;
  type: string;
}

/** The goods are at the warehouse, which has to inspect them. */
export interface AfterSaleReturnReceived {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleReturnReceivedCause;
  currency: string;
  lines: Array<AfterSaleReturnReceivedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleReturnShippedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleReturnShippedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleReturnShippedCause {
  actor: AfterSaleReturnShippedActor | null;
  id: string;
  type: string;
}

/** The goods are on their way back. */
export interface AfterSaleReturnShipped {
  amount: number;
  carrier: string;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleReturnShippedCause;
  currency: string;
  lines: Array<AfterSaleReturnShippedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  tracking_no: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleReviewActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The seller decides about a case. */
export interface AfterSaleReview {
  actor: AfterSaleReviewActor;
  amount?: number | null;
  case_id: string;
  decision: "approve" | "reject";
  merchant_fault?: boolean | null;
  note?: string | null;
  order_id: string;
  reason_code?: string | null;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface AfterSaleRevokedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleRevokedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleRevokedCause {
  actor: AfterSaleRevokedActor | null;
  id: string;
  type: string;
}

/** The buyer does not want it any more. */
export interface AfterSaleRevoked {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleRevokedCause;
  currency: string;
  lines: Array<AfterSaleRevokedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface AfterSaleSendBackActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The warehouse has handed goods of a case to a carrier, as a parcel to the buyer with this number. */
export interface AfterSaleSendBack {
  actor: AfterSaleSendBackActor;
  carrier: string;
  case_id: string;
  order_id: string;
  request_id: string;
  tracking_no: string;
  warehouse: string;
}

/** On whose behalf a command comes. */
export interface AfterSaleShipBackActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The buyer has sent the goods of an approved case back, as a parcel with this number. */
export interface AfterSaleShipBack {
  actor: AfterSaleShipBackActor;
  carrier: string;
  case_id: string;
  order_id: string;
  request_id: string;
  tracking_no: string;
}

/** On whose behalf a command comes. */
export interface AfterSaleUnreturnedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The units of one line in a case: claimed, accepted and refused by the inspection, and given back. */
export interface AfterSaleUnreturnedCaseLinePart {
  accepted_qty: number;
  line_no: number;
  qty: number;
  refunded_qty: number;
  refused_qty: number;
  sku_id: string;
  wanted_sku_id: string | null;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface AfterSaleUnreturnedCause {
  actor: AfterSaleUnreturnedActor | null;
  id: string;
  type: string;
}

/** Other goods went out, as the order `exchange_order_id`, for units that did not come back or were refused. */
export interface AfterSaleUnreturned {
  amount: number;
  case_id: string;
  case_no: string;
  case_reason: string;
  cause: AfterSaleUnreturnedCause;
  currency: string;
  exchange_order_id: string;
  lines: Array<AfterSaleUnreturnedCaseLinePart>;
  order_id: string;
  order_no: string | null;
  owed_amount: number;
  previous: string;
  reason_code: string | null;
  source: string;
  state: string;
  type: string;
  user_id: string;
  version: number;
}

/** A person should look at something. */
export interface AlertRaised {
  code: string;
  content: string;
  level: "HIGH" | "MEDIUM" | "LOW";
  order_id: string | null;
  service: string | null;
  title: string;
}

/** On whose behalf a command comes. */
export interface ArchivedOrderGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for an archived order, which its id, number or UUID names. order.get of one is answered ORDER_ARCHIVED. */
export interface ArchivedOrderGet {
  actor: ArchivedOrderGetActor;
  order: string;
}

/** On whose behalf a command comes. */
export interface ArchivedOrderListActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for a page of a user's archived orders, the newest first. */
export interface ArchivedOrderList {
  actor: ArchivedOrderListActor;
  cursor?: string | null;
  limit?: number;
  user_id: string;
}

/** How an archived order ended. */
export interface ArchivedOrderListedArchivedOrderSummary {
  archived_at: string;
  captured: ArchivedOrderListedMoneyShown;
  created_at: string;
  ended_at: string;
  order_id: string;
  order_no: string | null;
  paid_at: string | null;
  parent_id: string | null;
  payable: ArchivedOrderListedMoneyShown;
  refunded: ArchivedOrderListedMoneyShown;
  state: string;
  user_id: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface ArchivedOrderListedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to archived_order.list. */
export interface ArchivedOrderListed {
  next_cursor: string | null;
  orders: Array<ArchivedOrderListedArchivedOrderSummary>;
  user_id: string;
}

/** One line as it was sold, and what went back of it. */
export interface ArchivedOrderShownArchivedLine {
  line_no: number;
  name: string;
  payable: number;
  qty: number;
  refunded: number;
  refunded_qty: number;
  sku_id: string;
  unit_price: number;
}

/** How an archived order ended. */
export interface ArchivedOrderShownArchivedOrderSummary {
  archived_at: string;
  captured: ArchivedOrderShownMoneyShown;
  created_at: string;
  ended_at: string;
  order_id: string;
  order_no: string | null;
  paid_at: string | null;
  parent_id: string | null;
  payable: ArchivedOrderShownMoneyShown;
  refunded: ArchivedOrderShownMoneyShown;
  state: string;
  user_id: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface ArchivedOrderShownMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to archived_order.get. */
export interface ArchivedOrderShown {
  document: Record<string, unknown> | null;
  lines: Array<ArchivedOrderShownArchivedLine>;
  order: ArchivedOrderShownArchivedOrderSummary;
}

/** The cart holds `qty` units of the SKU now; 0 if it was removed. */
export interface CartChanged {
  qty: number;
  sku_id: string;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface CartGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask what is in a user's cart, with the prices of now. */
export interface CartGet {
  actor: CartGetActor;
  user_id: string;
}

/** Lines that were ordered left the cart. */
export interface CartItemsRemoved {
  sku_ids: Array<string>;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface CartPutActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Set the cart's line of the SKU to `qty` units. */
export interface CartPut {
  actor: CartPutActor;
  qty: number;
  request_id: string;
  sku_id: string;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface CartRemoveActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Remove the SKU from the cart. */
export interface CartRemove {
  actor: CartRemoveActor;
  request_id: string;
  sku_id: string;
  user_id: string;
}

/** A line of a cart. */
export interface CartShownCartLineShown {
  name: string | null;
  on_sale: boolean;
  price: CartShownMoneyShown | null;
  qty: number;
  sku_id: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface CartShownMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to cart.get: the lines, by SKU; at most CART_LINES_MAX. */
export interface CartShown {
  lines: Array<CartShownCartLineShown>;
  user_id: string;
}

/** The outcome of a command that was refused before it changed anything. */
export interface CommandRejected {
  code: string;
  command_id: string;
  details: Record<string, unknown>;
  message: string;
  type: string;
}

/** On whose behalf a command comes. */
export interface CommentMarkActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The buyer has commented on a received order, once. */
export interface CommentMark {
  actor: CommentMarkActor;
  order_id: string;
  request_id: string;
}

/** The order has a comment of its buyer. */
export interface CommentMarked {
  order_id: string;
  user_id: string;
}

/** A user is reached otherwise by this medium, or, if `removed`, not any more. */
export interface ContactChanged {
  enabled: boolean;
  medium: "email" | "sms" | "push";
  removed: boolean;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface ContactListActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask how a user is reached. */
export interface ContactList {
  actor: ContactListActor;
  user_id: string;
}

/** How a user is reached by one medium. */
export interface ContactListedContactShown {
  address: string | null;
  enabled: boolean;
  language: string;
  medium: "email" | "sms" | "push";
  opt_outs: Array<string>;
  quiet_hours: ContactListedQuietHours | null;
}

/** From when until when, each day, nothing is sent; `until` may be on the next day. */
export interface ContactListedQuietHours {
  begin: string;
  time_zone: string;
  until: string;
}

/** The answer to contact.list: at most one contact for each medium. */
export interface ContactListed {
  contacts: Array<ContactListedContactShown>;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface ContactSetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** From when until when, each day, nothing is sent; `until` may be on the next day. */
export interface ContactSetQuietHours {
  begin: string;
  time_zone: string;
  until: string;
}

/** Set how a user is reached by one medium. */
export interface ContactSet {
  actor: ContactSetActor;
  address: string | null;
  enabled?: boolean;
  language?: string;
  medium: "email" | "sms" | "push";
  opt_outs?: Array<string>;
  quiet_hours?: ContactSetQuietHours | null;
  request_id: string;
  user_id: string;
}

/** A coupon is held for an order, used by it, given back before or after its use, or expired. */
export interface CouponChanged {
  coupon_id: string;
  order_id: string | null;
  state: "locked" | "used" | "released" | "returned" | "expired";
  user_id: string;
}

/** Give a user one coupon of a template. */
export interface CouponIssue {
  coupon_id: string;
  template_id: string;
  user_id: string;
}

/** The user has the coupon, under these terms. */
export interface CouponIssued {
  amount: number;
  coupon_id: string;
  currency: string;
  min_amount: number;
  name: string;
  template_id: string;
  user_id: string;
  valid_from: string;
  valid_to: string;
}

/** On whose behalf a command comes. */
export interface CouponListActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for the coupons of a user in these states: without `states` for issued ones, with an empty list for all. */
export interface CouponList {
  actor: CouponListActor;
  states?: Array<string>;
  user_id: string;
}

/** A coupon. */
export interface CouponListedCouponShown {
  amount: CouponListedMoneyShown;
  channels: Array<string>;
  coupon_id: string;
  min_amount: CouponListedMoneyShown;
  name: string;
  order_id: string | null;
  scope: string;
  scope_ids: Array<string>;
  state: string;
  valid_from: string;
  valid_to: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface CouponListedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to coupon.list: the coupons, those that end first come first; at most COUPONS_MAX. */
export interface CouponListed {
  coupons: Array<CouponListedCouponShown>;
  user_id: string;
}

/** New coupons have the terms of this revision. */
export interface CouponTemplateChanged {
  revision: number;
  template_id: string;
}

/** The revision is not above the stored one. */
export interface CouponTemplateUnchanged {
  current_revision: number;
  revision: number;
  template_id: string;
}

/** Set the terms of coupons that are issued from now on. */
export interface CouponTemplateUpsert {
  amount: number;
  channels?: Array<string>;
  count?: number | null;
  currency: string;
  member_levels?: Array<string>;
  min_amount?: number;
  name: string;
  per_user_limit?: number | null;
  revision: number;
  scope: "all" | "category" | "sku";
  scope_ids?: Array<string>;
  template_id: string;
  valid_from: string;
  valid_to: string;
}

/** On whose behalf a command comes. */
export interface DashboardGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for the figures of a day of the shop's time zone, without `day` of this day. */
export interface DashboardGet {
  actor: DashboardGetActor;
  currency?: string | null;
  day?: string | null;
}

/** The orders in one currency that were paid on the day, what they cost, and what the shop earns with their good… */
export interface DashboardShownCurrencyFigures {
  average_amount: DashboardShownMoneyShown | null;
  cost: DashboardShownMoneyShown | null;
  margin: DashboardShownMoneyShown | null;
  paid_orders: number;
  share_without_cost: string | null;
  total_amount: DashboardShownMoneyShown;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface DashboardShownMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to dashboard.get: what happened on the day, as workers/domain/dashboard.py defines it. */
export interface DashboardShown {
  average_amount: DashboardShownMoneyShown | null;
  by_currency: Array<DashboardShownCurrencyFigures>;
  cancelled_orders: number;
  currency: string | null;
  day: string;
  exception_count: number | null;
  fulfil_success_rate: string | null;
  paid_orders: number;
  pay_success_rate: string | null;
  time_zone: string;
  timeout_count: number;
  total_amount: DashboardShownMoneyShown | null;
  total_orders: number;
}

/** A person decided about dead letters, or saw them in clear. */
export interface DeadLetterDecided {
  action: "replay" | "pause" | "resume" | "cancel" | "discard" | "restore" | "edit" | "import" | "reveal";
  actor: string;
  ids: Array<string>;
  letters: number;
  run_id: string | null;
  terminal_user: string;
}

/** One dispute with all that was submitted against it. */
export interface DisputeDescribedDisputeShown {
  amount: DisputeDescribedMoneyShown;
  dispute_id: string;
  dispute_no: string;
  due_at: string | null;
  evidence: Array<DisputeDescribedEvidenceShown>;
  occurred_at: string;
  order_ids: Array<string>;
  provider: string;
  reason_code: string | null;
  recorded_at: string;
  reminder_at: string | null;
  state: string;
  submissions: number;
  trade_no: string;
}

/** One submission: references to what the shop keeps, and what was `written` with it, its phone numbers masked. */
export interface DisputeDescribedEvidenceShown {
  actor_id: string;
  number: number;
  reason_code: string | null;
  references: Array<string>;
  state: "recorded" | "sending" | "accepted" | "refused";
  submitted_at: string;
  written: string | null;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface DisputeDescribedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to dispute.get: the dispute, or those of several providers that have this number. */
export interface DisputeDescribed {
  disputes: Array<DisputeDescribedDisputeShown>;
}

/** The provider accepted the submission `number` of a dispute that we gave it, or refused it. */
export interface DisputeEvidenceAnswered {
  dispute_no: string;
  number: number;
  order_ids: Array<string>;
  provider: string;
  reason_code: string | null;
  state: "accepted" | "refused";
  trade_no: string;
}

/** The submission `number` of a dispute is recorded, with so many `references`, which are never announced. */
export interface DisputeEvidenceSubmitted {
  dispute_no: string;
  due_at: string | null;
  number: number;
  order_ids: Array<string>;
  provider: string;
  references: number;
  to_provider: boolean;
  trade_no: string;
}

/** On whose behalf a command comes. */
export interface DisputeGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for everything about a dispute, by the number that its provider gave it. */
export interface DisputeGet {
  actor: DisputeGetActor;
  dispute_no: string;
  provider?: string | null;
}

/** On whose behalf a command comes. */
export interface DisputeListActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for a page of disputes. */
export interface DisputeList {
  actor: DisputeListActor;
  cursor?: string | null;
  due_before?: string | null;
  limit?: number;
  order?: string | null;
  sort?: "newest" | "due";
  states?: Array<string>;
}

/** One dispute in a list. */
export interface DisputeListedDisputeSummary {
  amount: DisputeListedMoneyShown;
  dispute_id: string;
  dispute_no: string;
  due_at: string | null;
  occurred_at: string;
  order_ids: Array<string>;
  provider: string;
  reason_code: string | null;
  recorded_at: string;
  state: string;
  submissions: number;
  trade_no: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface DisputeListedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to dispute.list. */
export interface DisputeListed {
  disputes: Array<DisputeListedDisputeSummary>;
  next_cursor: string | null;
}

/** On whose behalf a command comes. */
export interface DisputeSubmitEvidenceActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** An operator submits something at the provider against a dispute, such as a proof of delivery, or records that. */
export interface DisputeSubmitEvidence {
  actor: DisputeSubmitEvidenceActor;
  description?: string | null;
  dispute_no: string;
  evidence?: Array<string>;
  provider: string;
  request_id: string;
  to_provider?: boolean;
}

/** The warehouse will ship it: order.fulfilling. */
export interface FulfilmentAccept {
  number: number;
  occurred_at: string;
  order_id: string;
  ref?: string | null;
  warehouse: string;
}

/** The warehouse has stopped and keeps the goods: it answers fulfilment.cancel_requested. */
export interface FulfilmentCancelAccepted {
  cancel_no: number;
  number: number;
  occurred_at: string;
  order_id: string;
  ref?: string | null;
  warehouse: string;
}

/** It is too late to stop: it answers fulfilment.cancel_requested. */
export interface FulfilmentCancelRefused {
  cancel_no: number;
  number: number;
  occurred_at: string;
  order_id: string;
  reason_code: string;
  ref?: string | null;
  warehouse: string;
}

/** Please stop, and say whether you could: fulfilment.cancel_accepted or .cancel_refused, with this `cancel_no`. */
export interface FulfilmentCancelRequested {
  cancel_no: number;
  number: number;
  order_id: string;
  order_no: string | null;
  reason_code: string | null;
  warehouse: string;
}

/** A warehouse asks for what it has to do for an order again. */
export interface FulfilmentGet {
  order_id: string;
  request_id: string;
  warehouse: string;
}

/** The goods are with the carrier, whose facts about the parcels say when they leave. */
export interface FulfilmentHandOver {
  number: number;
  occurred_at: string;
  order_id: string;
  ref?: string | null;
  warehouse: string;
}

/** The order is held: let nothing leave until fulfilment.released. */
export interface FulfilmentHeld {
  number: number;
  order_id: string;
  order_no: string | null;
  reason_code: string | null;
  warehouse: string;
}

/** The goods are packed. */
export interface FulfilmentPack {
  number: number;
  occurred_at: string;
  order_id: string;
  ref?: string | null;
  warehouse: string;
}

/** The goods are being picked. */
export interface FulfilmentPick {
  number: number;
  occurred_at: string;
  order_id: string;
  ref?: string | null;
  warehouse: string;
}

/** The warehouse will not ship it. */
export interface FulfilmentRefuse {
  number: number;
  occurred_at: string;
  order_id: string;
  reason_code: string;
  ref?: string | null;
  warehouse: string;
}

/** The last hold of the order is released: go on with the newest request. */
export interface FulfilmentReleased {
  number: number;
  order_id: string;
  order_no: string | null;
  warehouse: string;
}

/** The delivery address. */
export interface FulfilmentRequestedAddress {
  area: string | null;
  city: string | null;
  country: string;
  detail: string;
  phone: string;
  postcode: string | null;
  province: string | null;
  receiver: string;
  street: string | null;
}

/** `qty` units of one SKU that have not left yet. */
export interface FulfilmentRequestedFulfilmentLine {
  line_no: number;
  name: string;
  qty: number;
  sku_id: string;
}

/** Please ship these lines to this address, and accept first. */
export interface FulfilmentRequested {
  address: FulfilmentRequestedAddress | null;
  lines: Array<FulfilmentRequestedFulfilmentLine>;
  number: number;
  order_id: string;
  order_no: string | null;
  remark: string | null;
  warehouse: string;
}

/** The outcome of fulfilment.get: what is open is in the warehouse's queue again. */
export interface FulfilmentResent {
  number: number;
  order_id: string;
  send_backs: number;
  state: string;
  warehouse: string;
}

/** The delivery address. */
export interface FulfilmentSendBackAddress {
  area: string | null;
  city: string | null;
  country: string;
  detail: string;
  phone: string;
  postcode: string | null;
  province: string | null;
  receiver: string;
  street: string | null;
}

/** `qty` units of one line of the order, which go back to the buyer. */
export interface FulfilmentSendBackSendBackLine {
  line_no: number;
  qty: number;
  sku_id: string;
}

/** Please send these goods of an after-sale case back to the buyer, to this address: they were not taken back. */
export interface FulfilmentSendBack {
  address: FulfilmentSendBackAddress | null;
  case_id: string;
  case_no: string;
  lines: Array<FulfilmentSendBackSendBackLine>;
  number: number;
  order_id: string;
  order_no: string | null;
  warehouse: string;
}

/** The hand-over of an order to a warehouse took a step. */
export interface FulfilmentUpdated {
  number: number;
  order_id: string;
  previous: string;
  reason_code: string | null;
  state: string;
  warehouse: string;
}

/** The request is withdrawn: ship nothing of it that has not left. */
export interface FulfilmentWithdrawn {
  number: number;
  order_id: string;
  order_no: string | null;
  warehouse: string;
}

/** The answer to group.get. */
export interface GroupDescribed {
  deadline: string;
  ended_at: string | null;
  group_id: string;
  opened_at: string;
  order_ids: Array<string>;
  paid: number;
  seated: number;
  size: number;
  spu_id: string;
  state: string;
}

/** Fewer of its orders than it has seats were paid until the deadline. */
export interface GroupFailed {
  deadline: string;
  group_id: string;
  order_ids: Array<string>;
  paid: number;
  size: number;
  spu_id: string;
}

/** As many of its orders are paid as it has seats. */
export interface GroupFormed {
  deadline: string;
  group_id: string;
  order_ids: Array<string>;
  paid: number;
  size: number;
  spu_id: string;
}

/** On whose behalf a command comes. */
export interface GroupGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask how full a group of buyers is. */
export interface GroupGet {
  actor: GroupGetActor;
  group_id: string;
}

/** The user has this level from now on, and may order unless blocked. */
export interface MemberChanged {
  blocked: boolean;
  level: string;
  revision: number;
  user_id: string;
}

/** The revision is not above the stored one. */
export interface MemberUnchanged {
  current_revision: number;
  revision: number;
  user_id: string;
}

/** Set the level of a member, and whether the member may order. */
export interface MemberUpsert {
  blocked: boolean;
  level: string;
  revision: number;
  user_id: string;
}

/** It was not sent. */
export interface NotificationFailed {
  cause: string;
  kind: string;
  medium: "email" | "sms" | "push";
  notification_id: string;
  order_id: string;
  reason_code: string;
  user_id: string;
}

/** The server of the medium accepted it. */
export interface NotificationSent {
  cause: string;
  kind: string;
  medium: "email" | "sms" | "push";
  notification_id: string;
  order_id: string;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface OrderAddressChangedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderAddressChangedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderAddressChangedCause {
  actor: OrderAddressChangedActor | null;
  id: string;
  type: string;
}

/** Its delivery address changed. */
export interface OrderAddressChanged {
  amounts: OrderAddressChangedAmounts;
  cause: OrderAddressChangedCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderAmountAdjustActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** One line of the order, and what comes off the price of its goods; less than 0 raises it. */
export interface OrderAmountAdjustLineToAdjust {
  discount: number;
  line_no: number;
}

/** Lower or raise what an unpaid order costs, in minor units of its currency. */
export interface OrderAmountAdjust {
  actor: OrderAmountAdjustActor;
  currency?: string | null;
  discount?: number | null;
  expected_version?: number | null;
  lines?: Array<OrderAmountAdjustLineToAdjust>;
  order_id: string;
  reason?: string | null;
  reason_code: string;
  request_id: string;
  shipping?: number | null;
}

/** On whose behalf a command comes. */
export interface OrderAmountChangedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** A line whose price changed: what it costs with its part of the shipping, before and now. */
export interface OrderAmountChangedAdjustedLine {
  line_no: number;
  payable: number;
  payable_before: number;
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderAmountChangedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderAmountChangedCause {
  actor: OrderAmountChangedActor | null;
  id: string;
  type: string;
}

/** An operator changed what the order costs, from `before` to `amounts`; of a split order, its children as well. */
export interface OrderAmountChanged {
  amounts: OrderAmountChangedAmounts;
  before: OrderAmountChangedAmounts;
  cause: OrderAmountChangedCause;
  conversation_id: string;
  lines: Array<OrderAmountChangedAdjustedLine>;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  reason_code: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderAsOfActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask how an order was at a time, as far as it was known then. */
export interface OrderAsOf {
  actor: OrderAsOfActor;
  at: string;
  min_version?: number;
  order: string;
}

/** On whose behalf a command comes. */
export interface OrderCancelActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Cancel an order: before payment it ends, after payment it is refunded, after shipping it is refused. */
export interface OrderCancel {
  actor: OrderCancelActor;
  order_id: string;
  reason?: string | null;
  reason_code?: string | null;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderCancelLaterActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Cancel an order at a time, unless order.keep comes before. */
export interface OrderCancelLater {
  actor: OrderCancelLaterActor;
  at: string;
  order_id: string;
  reason_code?: string | null;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderCancelRefusedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderCancelRefusedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderCancelRefusedCause {
  actor: OrderCancelRefusedActor | null;
  id: string;
  type: string;
}

/** It goes on: a warehouse refused to cancel it, or a parcel of it has left. */
export interface OrderCancelRefused {
  amounts: OrderCancelRefusedAmounts;
  cause: OrderCancelRefusedCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  reason_code: string | null;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderCancelRestActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Cancel the units of a partly shipped order that have not left the warehouse. */
export interface OrderCancelRest {
  actor: OrderCancelRestActor;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderCancelledActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderCancelledAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderCancelledCause {
  actor: OrderCancelledActor | null;
  id: string;
  type: string;
}

/** It ends without goods. */
export interface OrderCancelled {
  amounts: OrderCancelledAmounts;
  cancel_type: string;
  cause: OrderCancelledCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  reason_code: string | null;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderCancellingActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderCancellingAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderCancellingCause {
  actor: OrderCancellingActor | null;
  id: string;
  type: string;
}

/** It is to be cancelled, and its warehouses have to answer. order.cancelled or order.cancel_refused follows. */
export interface OrderCancelling {
  amounts: OrderCancellingAmounts;
  cancel_type: string;
  cause: OrderCancellingCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  reason_code: string | null;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderCaptchaAnswerActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Answer the captcha that the order waits for. */
export interface OrderCaptchaAnswer {
  actor: OrderCaptchaAnswerActor;
  captcha_token: string;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderChangeAddressActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The delivery address. */
export interface OrderChangeAddressAddress {
  area?: string | null;
  city?: string | null;
  country: string;
  detail: string;
  phone: string;
  postcode?: string | null;
  province?: string | null;
  receiver: string;
  street?: string | null;
}

/** Change the delivery address: once, before the first unit leaves the warehouse. */
export interface OrderChangeAddress {
  actor: OrderChangeAddressActor;
  address: OrderChangeAddressAddress;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderChangeNoteActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Change the operators' note about an order, or remove it. */
export interface OrderChangeNote {
  actor: OrderChangeNoteActor;
  note: string | null;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderChangeRemarkActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Change the buyer's remark, or remove it, until a warehouse has it or a parcel has left. */
export interface OrderChangeRemark {
  actor: OrderChangeRemarkActor;
  order_id: string;
  remark: string | null;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderCompletedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderCompletedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderCompletedCause {
  actor: OrderCompletedActor | null;
  id: string;
  type: string;
}

/** The buyer confirmed the receipt, the receipt window ended, or the delivery completed the order by its policy. */
export interface OrderCompleted {
  amounts: OrderCompletedAmounts;
  cause: OrderCompletedCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderConfirmReceiptActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The buyer confirms that the goods have arrived. */
export interface OrderConfirmReceipt {
  actor: OrderConfirmReceiptActor;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderCreateActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The delivery address. */
export interface OrderCreateAddress {
  area?: string | null;
  city?: string | null;
  country: string;
  detail: string;
  phone: string;
  postcode?: string | null;
  province?: string | null;
  receiver: string;
  street?: string | null;
}

/** What the client knows about the device and the behaviour of the buyer, for the risk check alone. */
export interface OrderCreateClientFacts {
  behaviour_score?: number | null;
  device_kind?: "computer" | "phone" | "tablet" | "other" | null;
  device_known_seconds?: number | null;
  device_ref?: string | null;
  network_ref?: string | null;
}

/** `qty` units of one SKU. */
export interface OrderCreateCreateLine {
  expected_unit_price?: number | null;
  qty: number;
  sku_id: string;
  warehouse?: string | null;
}

/** One term of the price as the client computed it. */
export interface OrderCreateExpectedAmount {
  amount: number;
  type: string;
}

/** How the buyer intends to pay. */
export interface OrderCreatePaymentChoice {
  account_type?: string | null;
  method: string;
}

/** Place an order. */
export interface OrderCreate {
  actor: OrderCreateActor;
  address?: OrderCreateAddress | null;
  amounts?: Array<OrderCreateExpectedAmount> | null;
  business_order_id?: string | null;
  business_type?: string;
  captcha_token?: string | null;
  channel: string;
  client?: OrderCreateClientFacts | null;
  coupon_id?: string | null;
  currency: string;
  draft_id?: string | null;
  draft_revision?: number | null;
  expected_pay_amount: number;
  group_id?: string | null;
  items?: Array<OrderCreateCreateLine>;
  order_no?: string | null;
  order_type?: string;
  payments?: Array<OrderCreatePaymentChoice> | null;
  remark?: string | null;
  request_id: string;
  seller_id?: string | null;
  source?: string;
  use_points?: number;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface OrderCreatedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderCreatedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderCreatedCause {
  actor: OrderCreatedActor | null;
  id: string;
  type: string;
}

/** One line as it was sold. */
export interface OrderCreatedEventLine {
  line_no: number;
  name: string;
  payable: number;
  qty: number;
  sku_id: string;
  unit_price: number;
}

/** Its stock is reserved, and it can be paid until `pay_before`. */
export interface OrderCreated {
  amounts: OrderCreatedAmounts;
  cause: OrderCreatedCause;
  children: Array<string>;
  conversation_id: string;
  intent_id: string;
  lines: Array<OrderCreatedEventLine>;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  pay_before: string;
  previous: string;
  request_id: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderDeleteActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Hide finished orders from their buyer, all of them or none. */
export interface OrderDelete {
  actor: OrderDeleteActor;
  order_ids: Array<string>;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderDeletedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderDeletedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderDeletedCause {
  actor: OrderDeletedActor | null;
  id: string;
  type: string;
}

/** It is hidden from its buyer. */
export interface OrderDeleted {
  amounts: OrderDeletedAmounts;
  cause: OrderDeletedCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderDeliveredActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderDeliveredAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderDeliveredCause {
  actor: OrderDeliveredActor | null;
  id: string;
  type: string;
}

/** Every parcel of it that did not fail has arrived. */
export interface OrderDelivered {
  amounts: OrderDeliveredAmounts;
  cause: OrderDeliveredCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderDeliveryFailedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderDeliveryFailedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderDeliveryFailedCause {
  actor: OrderDeliveryFailedActor | null;
  id: string;
  type: string;
}

/** None of its parcels arrived and none is under way. */
export interface OrderDeliveryFailed {
  amounts: OrderDeliveryFailedAmounts;
  cause: OrderDeliveryFailedCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** The delivery address, masked unless there is a `reveal_reason`. */
export interface OrderDescribedAddressShown {
  changes: number;
  country: string;
  detail: string;
  phone: string;
  receiver: string;
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderDescribedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** One attempt to pay through a provider. */
export interface OrderDescribedAttemptShown {
  amount: OrderDescribedMoneyShown;
  attempt_id: string;
  expire_at: string;
  provider: string;
  reason_code: string | null;
  scene: string;
  started_at: string;
  state: string;
}

/** One case in a list: what it is about, and how far it is. */
export interface OrderDescribedCaseSummary {
  amount: OrderDescribedMoneyShown | null;
  case_id: string;
  case_no: string;
  completed_at: string | null;
  exchange: OrderDescribedExchangeShown | null;
  order_id: string;
  order_no: string | null;
  processed_at: string | null;
  reason_code: string;
  requested_at: string;
  source: string;
  state: string;
  type: string;
  units: number;
  user_id: string;
  version: number;
}

/** A dispute about a payment, as order.get shows it, and when its provider got evidence from us (`submitted`). */
export interface OrderDescribedDisputeOfPayment {
  amount: OrderDescribedMoneyShown;
  dispute_no: string;
  due_at: string | null;
  occurred_at: string;
  reason_code: string | null;
  state: string;
  submitted: Array<string>;
}

/** An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back. */
export interface OrderDescribedExchangeShown {
  case_id: string;
  case_no: string;
  first_order_id: string;
  first_order_no: string | null;
  order_id: string;
  order_no: string | null;
  placed_at: string;
  state: string;
}

/** What the state alone does not say: money, goods, stock, each computed from its rows. */
export interface OrderDescribedFacetsShown {
  aftersale: string;
  fulfilment: string;
  hold: string;
  payment: string;
  stock: string;
}

/** The group of buyers of an order, as in group.described. */
export interface OrderDescribedGroupShown {
  deadline: string;
  group_id: string;
  otherwise: string | null;
  paid: number;
  seated: number;
  size: number;
  state: string;
}

/** The part of an order that one warehouse ships, and how far it is there. */
export interface OrderDescribedHandOverShown {
  order_id: string;
  requested_at: string;
  state: string;
  updated_at: string;
  warehouse: string;
}

/** A hold. */
export interface OrderDescribedHoldShown {
  hold_id: string;
  kind: string;
  order_id: string;
  placed_at: string;
  reason_code: string | null;
  released_at: string | null;
}

/** One line as it was sold, and what has gone back of it. */
export interface OrderDescribedLineShown {
  adjustment: number;
  cancelled_qty: number;
  line_no: number;
  margin: number | null;
  name: string;
  order_id: string;
  payable: number;
  purchase_price: number | null;
  qty: number;
  refunded: number;
  refunded_qty: number;
  short_qty: number;
  sku_id: string;
  unit_price: number;
  warehouse: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface OrderDescribedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** Units of one line in a parcel. */
export interface OrderDescribedParcelLine {
  line_no: number;
  order_id: string;
  qty: number;
}

/** One parcel with the units of this order and the reports of its carrier; a return names its case in `case_id`. */
export interface OrderDescribedParcelShown {
  booked_at: string | null;
  carrier: string;
  case_id: string | null;
  delayed: boolean;
  delivered_at: string | null;
  facts: Array<OrderDescribedTrackedFact>;
  lines: Array<OrderDescribedParcelLine>;
  outbound_at: string | null;
  state: string;
  to_buyer: boolean;
  tracking_no: string;
}

/** What a provider reported: `kind` is captured or failed, `verdict` what it was for us; and disputes about it. */
export interface OrderDescribedPaymentShown {
  amount: OrderDescribedMoneyShown;
  disputes: Array<OrderDescribedDisputeOfPayment>;
  kind: string;
  occurred_at: string;
  provider: string;
  reason_code: string | null;
  trade_no: string;
  verdict: string;
}

/** One refund, under way or ended. */
export interface OrderDescribedRefundShown {
  amount: OrderDescribedMoneyShown;
  cause: string;
  finished_at: string | null;
  order_id: string;
  provider: string;
  reason_code: string | null;
  refund_no: string;
  replaces: string | null;
  requested_at: string | null;
  state: string;
}

/** What the carrier reported: the parcel's state, where and when. */
export interface OrderDescribedTrackedFact {
  occurred_at: string;
  place: string | null;
  stale: boolean;
  status: string;
}

/** The answer to order.get. */
export interface OrderDescribed {
  address: OrderDescribedAddressShown | null;
  amounts: OrderDescribedAmounts;
  attempts: Array<OrderDescribedAttemptShown>;
  business_type: string;
  cancelled_at: string | null;
  captured: OrderDescribedMoneyShown;
  cases: Array<OrderDescribedCaseSummary>;
  channel: string;
  children: Array<string>;
  commented: boolean;
  completed_at: string | null;
  created_at: string;
  deleted: boolean;
  delivered_at: string | null;
  exchanges: Array<OrderDescribedExchangeShown>;
  expire_at: string;
  facets: OrderDescribedFacetsShown;
  group: OrderDescribedGroupShown | null;
  hand_overs: Array<OrderDescribedHandOverShown>;
  held: boolean;
  holds: Array<OrderDescribedHoldShown>;
  lines: Array<OrderDescribedLineShown>;
  note: string | null;
  order_id: string;
  order_no: string | null;
  order_uuid: string;
  paid_at: string | null;
  parcels: Array<OrderDescribedParcelShown>;
  payable: OrderDescribedMoneyShown;
  payments: Array<OrderDescribedPaymentShown>;
  reason_code: string | null;
  refunded: OrderDescribedMoneyShown;
  refunds: Array<OrderDescribedRefundShown>;
  replaces: OrderDescribedExchangeShown | null;
  request_id: string;
  ship_by: string | null;
  shipped_at: string | null;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderDraftDeleteActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Delete a draft. */
export interface OrderDraftDelete {
  actor: OrderDraftDeleteActor;
  draft_id: string;
  request_id: string;
  revision?: number | null;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface OrderDraftGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for one draft. */
export interface OrderDraftGet {
  actor: OrderDraftGetActor;
  draft_id: string;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface OrderDraftListActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for all drafts of a user. */
export interface OrderDraftList {
  actor: OrderDraftListActor;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface OrderDraftSaveActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The delivery address. */
export interface OrderDraftSaveAddress {
  area?: string | null;
  city?: string | null;
  country: string;
  detail: string;
  phone: string;
  postcode?: string | null;
  province?: string | null;
  receiver: string;
  street?: string | null;
}

/** `qty` units of one SKU that the buyer means to order, from this warehouse if it names one. */
export interface OrderDraftSaveDraftLine {
  qty: number;
  sku_id: string;
  warehouse?: string | null;
}

/** Save a new draft, or with a `draft_id` replace one. */
export interface OrderDraftSave {
  actor: OrderDraftSaveActor;
  address?: OrderDraftSaveAddress | null;
  channel: string;
  currency: string;
  draft_id?: string | null;
  items: Array<OrderDraftSaveDraftLine>;
  keep?: Array<"address" | "remark">;
  remark?: string | null;
  request_id: string;
  revision?: number | null;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface OrderExplainActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask why an order is in its state, what it waits for, and what can move it. */
export interface OrderExplain {
  actor: OrderExplainActor;
  min_version?: number;
  order: string;
}

/** One thing that the order waits for: `what`, and `whom` it must come from. */
export interface OrderExplainedAwaitedShown {
  case_no: string | null;
  missing_timer: OrderExplainedMissingTimerShown | null;
  moved_by: Array<string>;
  name: string | null;
  order_id: string;
  otherwise: string | null;
  ref: string | null;
  since: string | null;
  until: string | null;
  what: string;
  whom: string;
}

/** A message about the order that was dead-lettered. */
export interface OrderExplainedDiedShown {
  dead_letter_id: string;
  decision: string;
  died_at: string;
  queue: string;
  reason: string;
  type: string | null;
}

/** An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back. */
export interface OrderExplainedExchangeShown {
  case_id: string;
  case_no: string;
  first_order_id: string;
  first_order_no: string | null;
  order_id: string;
  order_no: string | null;
  placed_at: string;
  state: string;
}

/** The group of buyers of an order, as in group.described. */
export interface OrderExplainedGroupShown {
  deadline: string;
  group_id: string;
  otherwise: string | null;
  paid: number;
  seated: number;
  size: number;
  state: string;
}

/** One step. */
export interface OrderExplainedHistoryStep {
  actor_id: string;
  actor_type: string;
  at: string;
  case_id: string | null;
  case_no: string | null;
  case_state: string | null;
  cause_id: string;
  cause_type: string;
  discount: number | null;
  operate_type: number;
  previous: string;
  refund_no: string | null;
  state: string;
  trigger: string;
  version: number;
}

/** A timer that should end a wait and does not run, so that nothing ends it but a message: `oms repair` starts i… */
export interface OrderExplainedMissingTimerShown {
  cancelled_at: string | null;
  cancelled_by: string | null;
  key: string;
  kind: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface OrderExplainedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** A step that the order can take: its trigger, and the state to which it leads. */
export interface OrderExplainedOpenStepShown {
  to: string;
  trigger: string;
}

/** The answer to order.explain. */
export interface OrderExplained {
  awaits: Array<OrderExplainedAwaitedShown>;
  died: Array<OrderExplainedDiedShown>;
  entered: OrderExplainedHistoryStep | null;
  exchanges: Array<OrderExplainedExchangeShown>;
  group: OrderExplainedGroupShown | null;
  next: Array<OrderExplainedOpenStepShown>;
  order_id: string;
  order_no: string | null;
  payable: OrderExplainedMoneyShown;
  replaces: OrderExplainedExchangeShown | null;
  state: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderFulfillingActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderFulfillingAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderFulfillingCause {
  actor: OrderFulfillingActor | null;
  id: string;
  type: string;
}

/** A warehouse has accepted it and works on it. */
export interface OrderFulfilling {
  amounts: OrderFulfillingAmounts;
  cause: OrderFulfillingCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for everything about one order. */
export interface OrderGet {
  actor: OrderGetActor;
  min_version?: number;
  order: string;
  reveal_reason?: string | null;
}

/** On whose behalf a command comes. */
export interface OrderHeldActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderHeldAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderHeldCause {
  actor: OrderHeldActor | null;
  id: string;
  type: string;
}

/** The order is held once more. */
export interface OrderHeld {
  amounts: OrderHeldAmounts;
  cause: OrderHeldCause;
  conversation_id: string;
  hold_id: string;
  holds: number;
  kind: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  reason_code: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderHistoryActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask what has happened to an order: every step, who took it and why. */
export interface OrderHistory {
  actor: OrderHistoryActor;
  min_version?: number;
  order: string;
}

/** An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back. */
export interface OrderHistoryListedExchangeShown {
  case_id: string;
  case_no: string;
  first_order_id: string;
  first_order_no: string | null;
  order_id: string;
  order_no: string | null;
  placed_at: string;
  state: string;
}

/** One step. */
export interface OrderHistoryListedHistoryStep {
  actor_id: string;
  actor_type: string;
  at: string;
  case_id: string | null;
  case_no: string | null;
  case_state: string | null;
  cause_id: string;
  cause_type: string;
  discount: number | null;
  operate_type: number;
  previous: string;
  refund_no: string | null;
  state: string;
  trigger: string;
  version: number;
}

/** The answer to order.history: the steps of the order, oldest first. */
export interface OrderHistoryListed {
  exchanges: Array<OrderHistoryListedExchangeShown>;
  order_id: string;
  order_no: string | null;
  replaces: OrderHistoryListedExchangeShown | null;
  state: string;
  steps: Array<OrderHistoryListedHistoryStep>;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderHoldActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Stop an order: while it is held, nothing of it is handed over or booked, and it is not completed by time. */
export interface OrderHold {
  actor: OrderHoldActor;
  order_id: string;
  reason?: string | null;
  reason_code: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderImportActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The delivery address. */
export interface OrderImportAddress {
  area?: string | null;
  city?: string | null;
  country: string;
  detail: string;
  phone: string;
  postcode?: string | null;
  province?: string | null;
  receiver: string;
  street?: string | null;
}

/** One line as it was sold, in minor units. */
export interface OrderImportImportedLine {
  coupon?: number;
  name: string;
  payable: number;
  points?: number;
  product_type?: string;
  promotion?: number;
  qty: number;
  seller_id?: string | null;
  shipping?: number;
  sku_id: string;
  spu_id?: string | null;
  tax?: number;
  unit_price: number;
  warehouse?: string | null;
}

/** The capture that paid the order: the whole of what it cost, under the number of its provider. */
export interface OrderImportImportedPayment {
  amount: number;
  provider: string;
  trade_no: string;
}

/** A refund that succeeded: the sum of its lines, under the number of its provider. */
export interface OrderImportImportedRefund {
  lines: Array<OrderImportImportedRefundLine>;
  refund_no: string;
  refunded_at: string;
}

/** What a refund gave back of one line: units, and money with its share of shipping and tax. */
export interface OrderImportImportedRefundLine {
  amount: number;
  line_no: number;
  qty: number;
}

/** Take an order of another system as it is: completed or cancelled, its prices facts, its payment and refunds m… */
export interface OrderImport {
  actor: OrderImportActor;
  address?: OrderImportAddress | null;
  cancelled_at?: string | null;
  channel: string;
  completed_at?: string | null;
  created_at: string;
  currency: string;
  delivered_at?: string | null;
  external_no: string;
  lines: Array<OrderImportImportedLine>;
  paid_at?: string | null;
  payment?: OrderImportImportedPayment | null;
  refunds?: Array<OrderImportImportedRefund>;
  remark?: string | null;
  shipped_at?: string | null;
  source: string;
  state: string;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface OrderKeepActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Withdraw the scheduled cancellation of an order. */
export interface OrderKeep {
  actor: OrderKeepActor;
  order_id: string;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderListActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for a page of orders, the newest first. */
export interface OrderList {
  actor: OrderListActor;
  created_before?: string | null;
  created_from?: string | null;
  cursor?: string | null;
  limit?: number;
  order_no?: string | null;
  request_id?: string | null;
  sku_id?: string | null;
  states?: Array<string>;
  tracking_no?: string | null;
  trade_no?: string | null;
  user_id?: string | null;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface OrderListedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** One order in a list. */
export interface OrderListedOrderSummary {
  channel: string;
  created_at: string;
  deleted: boolean;
  delivered_at: string | null;
  first_line: string | null;
  held: boolean;
  lines: number;
  order_id: string;
  order_no: string | null;
  paid_at: string | null;
  payable: OrderListedMoneyShown;
  shipped_at: string | null;
  state: string;
  units: number;
  user_id: string;
  version: number;
}

/** The answer to order.list. */
export interface OrderListed {
  next_cursor: string | null;
  orders: Array<OrderListedOrderSummary>;
}

/** On whose behalf a command comes. */
export interface OrderMergeActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Pay several unpaid orders of one user with one payment, all or none. */
export interface OrderMerge {
  actor: OrderMergeActor;
  order_ids: Array<string>;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderMergedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderMergedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderMergedCause {
  actor: OrderMergedActor | null;
  id: string;
  type: string;
}

/** One payment of `amount` for `intent_id` before `pay_before` pays all of `order_ids`. */
export interface OrderMerged {
  amount: number;
  amounts: OrderMergedAmounts;
  cause: OrderMergedCause;
  conversation_id: string;
  intent_id: string;
  order_id: string;
  order_ids: Array<string>;
  order_no: string | null;
  parent_id: string | null;
  pay_before: string;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderNumberIssueActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Give the user a new order number, for a later order.create. */
export interface OrderNumberIssue {
  actor: OrderNumberIssueActor;
  channel: string;
  method?: string | null;
  request_id: string;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface OrderPaidActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderPaidAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderPaidCause {
  actor: OrderPaidActor | null;
  id: string;
  type: string;
}

/** Its whole amount is captured, or it costs nothing. */
export interface OrderPaid {
  amounts: OrderPaidAmounts;
  cause: OrderPaidCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  ship_by: string | null;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderPreviewActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** `qty` units of one SKU. */
export interface OrderPreviewCreateLine {
  expected_unit_price?: number | null;
  qty: number;
  sku_id: string;
  warehouse?: string | null;
}

/** Ask what an order of these lines, or of the user's cart, would cost now. order.create uses the same price. */
export interface OrderPreview {
  actor: OrderPreviewActor;
  business_type?: string;
  channel: string;
  country?: string | null;
  coupon_id?: string | null;
  currency: string;
  from_cart?: boolean;
  group_id?: string | null;
  items?: Array<OrderPreviewCreateLine>;
  use_points?: number;
  user_id: string;
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderPreviewedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** The group of buyers of an order, as in group.described. */
export interface OrderPreviewedGroupShown {
  deadline: string;
  group_id: string;
  otherwise: string | null;
  paid: number;
  seated: number;
  size: number;
  state: string;
}

/** The masked delivery address of an earlier order. */
export interface OrderPreviewedPreviewAddress {
  country: string;
  detail: string;
  order_id: string;
  phone: string;
  receiver: string;
}

/** A coupon that the user holds. */
export interface OrderPreviewedPreviewCoupon {
  amount: number;
  coupon_id: string;
  currency: string;
  name: string;
  usable: boolean;
  why: string | null;
}

/** One line as it would be sold: payable = origin - promotion - coupon - points + tax + shipping share. */
export interface OrderPreviewedPreviewLine {
  coupon: number;
  line_no: number;
  name: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  promotion_id: string | null;
  promotion_text: string | null;
  qty: number;
  shipping_share: number;
  sku_id: string;
  tax: number;
  unit_price: number;
  warehouse: string;
}

/** Why order.create would refuse such an order. */
export interface OrderPreviewedPreviewRefusal {
  code: string;
  details: Record<string, unknown>;
  message: string;
}

/** The user who would buy. */
export interface OrderPreviewedPreviewUser {
  member_level: string | null;
  points_available: number;
  user_id: string;
}

/** The answer to order.preview, for a confirm page. */
export interface OrderPreviewed {
  addresses: Array<OrderPreviewedPreviewAddress>;
  amounts: OrderPreviewedAmounts | null;
  coupons: Array<OrderPreviewedPreviewCoupon>;
  group: OrderPreviewedGroupShown | null;
  items: Array<OrderPreviewedPreviewLine>;
  points_usable: number;
  points_used: number;
  refusal: OrderPreviewedPreviewRefusal | null;
  user: OrderPreviewedPreviewUser;
}

/** On whose behalf a command comes. */
export interface OrderReinstatedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderReinstatedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderReinstatedCause {
  actor: OrderReinstatedActor | null;
  id: string;
  type: string;
}

/** It has its goods again and keeps the late payment. order.paid follows at once. */
export interface OrderReinstated {
  amounts: OrderReinstatedAmounts;
  cause: OrderReinstatedCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderReinstatingActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderReinstatingAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderReinstatingCause {
  actor: OrderReinstatingActor | null;
  id: string;
  type: string;
}

/** A payment came after its window. */
export interface OrderReinstating {
  amounts: OrderReinstatingAmounts;
  cause: OrderReinstatingCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderRejectedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderRejectedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderRejectedCause {
  actor: OrderRejectedActor | null;
  id: string;
  type: string;
}

/** The order could not be placed. */
export interface OrderRejected {
  amounts: OrderRejectedAmounts;
  cause: OrderRejectedCause;
  code: string;
  conversation_id: string;
  details: Record<string, unknown>;
  message: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  request_id: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderReleaseActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Release one hold of an order. */
export interface OrderRelease {
  actor: OrderReleaseActor;
  hold_id?: string | null;
  order_id: string;
  reason?: string | null;
  reason_code?: string | null;
  request_id: string;
}

/** On whose behalf a command comes. */
export interface OrderReleasedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderReleasedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderReleasedCause {
  actor: OrderReleasedActor | null;
  id: string;
  type: string;
}

/** One hold is released; with `holds` 0 the order goes on. */
export interface OrderReleased {
  amounts: OrderReleasedAmounts;
  cause: OrderReleasedCause;
  conversation_id: string;
  hold_id: string;
  holds: number;
  kind: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  reason_code: string;
  release_reason_code: string | null;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderRestCancelledActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderRestCancelledAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderRestCancelledCause {
  actor: OrderRestCancelledActor | null;
  id: string;
  type: string;
}

/** `qty` units of one line that the order will not ship. */
export interface OrderRestCancelledDroppedLine {
  line_no: number;
  qty: number;
  sku_id: string;
}

/** The units that had not left are cancelled: refunded, and sellable again. */
export interface OrderRestCancelled {
  amounts: OrderRestCancelledAmounts;
  cause: OrderRestCancelledCause;
  conversation_id: string;
  lines: Array<OrderRestCancelledDroppedLine>;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  refund_amount: number;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderShippedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderShippedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderShippedCause {
  actor: OrderShippedActor | null;
  id: string;
  type: string;
}

/** Its last unit has left the warehouse: `on_time`, or after `ship_by`. */
export interface OrderShipped {
  amounts: OrderShippedAmounts;
  cause: OrderShippedCause;
  conversation_id: string;
  on_time: boolean | null;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  ship_by: string | null;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderShortageDecideActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The buyer's answer to a shortage, before `decide_before`: ship what is there, or cancel all that has not left. */
export interface OrderShortageDecide {
  actor: OrderShortageDecideActor;
  decision: "ship_rest" | "cancel_rest";
  order_id: string;
  request_id: string;
}

/** `qty` units of one SKU of the order that the warehouse does not have. */
export interface OrderShortageReportShortLine {
  qty: number;
  sku_id: string;
}

/** The warehouse does not have these units of a paid order; without lines, none of those that have not left. */
export interface OrderShortageReport {
  lines?: Array<OrderShortageReportShortLine>;
  order_id: string;
  request_id: string;
  warehouse?: string | null;
}

/** On whose behalf a command comes. */
export interface OrderShortageRecordedActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderShortageRecordedAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderShortageRecordedCause {
  actor: OrderShortageRecordedActor | null;
  id: string;
  type: string;
}

/** `qty` units of one line that the order will not ship. */
export interface OrderShortageRecordedDroppedLine {
  line_no: number;
  qty: number;
  sku_id: string;
}

/** The warehouse does not have some units: they are refunded. */
export interface OrderShortageRecorded {
  amounts: OrderShortageRecordedAmounts;
  cause: OrderShortageRecordedCause;
  conversation_id: string;
  decide_before: string | null;
  lines: Array<OrderShortageRecordedDroppedLine>;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  refund_amount: number;
  state: string;
  user_id: string;
  version: number;
}

/** The state of an after-sale case at that time, and the number of its last step until then. */
export interface OrderShownAsOfCaseAsOf {
  case_id: string;
  case_no: string;
  order_id: string;
  state: string;
  type: string;
  version: number;
}

/** One step. */
export interface OrderShownAsOfHistoryStep {
  actor_id: string;
  actor_type: string;
  at: string;
  case_id: string | null;
  case_no: string | null;
  case_state: string | null;
  cause_id: string;
  cause_type: string;
  discount: number | null;
  operate_type: number;
  previous: string;
  refund_no: string | null;
  state: string;
  trigger: string;
  version: number;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface OrderShownAsOfMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The state of a parcel at that time. */
export interface OrderShownAsOfParcelAsOf {
  carrier: string;
  state: string;
  tracking_no: string;
}

/** The answer to order.as_of. */
export interface OrderShownAsOf {
  at: string;
  captured: OrderShownAsOfMoneyShown;
  cases: Array<OrderShownAsOfCaseAsOf>;
  last: OrderShownAsOfHistoryStep;
  order_id: string;
  order_no: string | null;
  parcels: Array<OrderShownAsOfParcelAsOf>;
  payable: OrderShownAsOfMoneyShown;
  refunded: OrderShownAsOfMoneyShown;
  state: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderSplitActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax. */
export interface OrderSplitAmounts {
  adjustment: number;
  coupon: number;
  currency: string;
  origin: number;
  payable: number;
  points: number;
  promotion: number;
  shipping: number;
  tax: number;
}

/** Why the order moved: type and id of the message that caused it, and on whose behalf it came. */
export interface OrderSplitCause {
  actor: OrderSplitActor | null;
  id: string;
  type: string;
}

/** It is paid. */
export interface OrderSplit {
  amounts: OrderSplitAmounts;
  cause: OrderSplitCause;
  conversation_id: string;
  order_id: string;
  order_no: string | null;
  parent_id: string | null;
  previous: string;
  state: string;
  user_id: string;
  version: number;
}

/** On whose behalf a command comes. */
export interface OrderStuckActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for a page of what waits longer than the limit of its kind, the oldest first. */
export interface OrderStuck {
  actor: OrderStuckActor;
  cursor?: string | null;
  limit?: number;
  longer_than_seconds?: number | null;
  what?: Array<string>;
}

/** A timer that should end a wait and does not run, so that nothing ends it but a message: `oms repair` starts i… */
export interface OrderStuckListedMissingTimerShown {
  cancelled_at: string | null;
  cancelled_by: string | null;
  key: string;
  kind: string;
}

/** How many things wait for `what` longer than the limit, at most 10,000, and since when the oldest does. */
export interface OrderStuckListedStuckCount {
  count: number;
  longer_than_seconds: number;
  oldest: string;
  what: string;
}

/** One thing that waits too long, with the fields that order.explained shows of it, and the limit that it passed. */
export interface OrderStuckListedStuckShown {
  case_no: string | null;
  longer_than_seconds: number;
  missing_timer: OrderStuckListedMissingTimerShown | null;
  moved_by: Array<string>;
  name: string | null;
  order_id: string;
  order_no: string | null;
  otherwise: string | null;
  ref: string | null;
  since: string | null;
  state: string;
  until: string | null;
  what: string;
  whom: string;
}

/** The answer to order.stuck: a page of what waits, and `counts` of all pages by what is awaited. */
export interface OrderStuckListed {
  counts: Array<OrderStuckListedStuckCount>;
  next_cursor: string | null;
  stuck: Array<OrderStuckListedStuckShown>;
}

/** On whose behalf a command comes. */
export interface OrderTrackActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask where the parcels of an order are. */
export interface OrderTrack {
  actor: OrderTrackActor;
  min_version?: number;
  order: string;
}

/** Units of one line in a parcel. */
export interface OrderTrackedParcelLine {
  line_no: number;
  order_id: string;
  qty: number;
}

/** One parcel with the units of this order and the reports of its carrier; a return names its case in `case_id`. */
export interface OrderTrackedParcelShown {
  booked_at: string | null;
  carrier: string;
  case_id: string | null;
  delayed: boolean;
  delivered_at: string | null;
  facts: Array<OrderTrackedTrackedFact>;
  lines: Array<OrderTrackedParcelLine>;
  outbound_at: string | null;
  state: string;
  to_buyer: boolean;
  tracking_no: string;
}

/** What the carrier reported: the parcel's state, where and when. */
export interface OrderTrackedTrackedFact {
  occurred_at: string;
  place: string | null;
  stale: boolean;
  status: string;
}

/** The answer to order.track. */
export interface OrderTracked {
  order_id: string;
  order_no: string | null;
  parcels: Array<OrderTrackedParcelShown>;
  state: string;
  version: number;
}

/** The time of a scheduled cancellation came, and the order stays as it is; `code` is what order.cancel answers. */
export interface OrderCancellationDropped {
  code: string;
  details: Record<string, unknown>;
  message: string;
  order_id: string;
  user_id: string;
}

/** The order will be cancelled `at` this time. */
export interface OrderCancellationScheduled {
  at: string;
  order_id: string;
  reason_code: string | null;
  replaced: string | null;
  user_id: string;
}

/** The order will not be cancelled by time. */
export interface OrderCancellationWithdrawn {
  at: string;
  order_id: string;
  reason_code: string | null;
  user_id: string;
}

/** The answer is at the risk check, which has not judged it yet. */
export interface OrderCaptchaAnswered {
  captcha_answers: number;
  order_id: string;
  user_id: string;
}

/** The order of this `request_id` waits: send order.captcha.answer before `until`, else it is rejected. */
export interface OrderCaptchaRequired {
  captcha_answers: number;
  order_id: string;
  request_id: string;
  until: string;
  user_id: string;
}

/** The draft is deleted. */
export interface OrderDraftDeleted {
  draft_id: string;
  user_id: string;
}

/** The address of a draft, masked. */
export interface OrderDraftListedDraftAddress {
  country: string;
  detail: string;
  phone: string;
  receiver: string;
}

/** `qty` units of one SKU that the buyer means to order, from this warehouse if it names one. */
export interface OrderDraftListedDraftLine {
  qty: number;
  sku_id: string;
  warehouse: string | null;
}

/** A draft. */
export interface OrderDraftListedDraftShown {
  address: OrderDraftListedDraftAddress | null;
  channel: string;
  currency: string;
  delete_at: string;
  draft_id: string;
  has_remark: boolean;
  items: Array<OrderDraftListedDraftLine>;
  order_id: string | null;
  revision: number;
  saved_at: string;
}

/** The answer to order.draft.list: the drafts, the last saved one first. */
export interface OrderDraftListed {
  drafts: Array<OrderDraftListedDraftShown>;
  user_id: string;
}

/** The draft is saved under this revision. */
export interface OrderDraftSaved {
  draft_id: string;
  revision: number;
  user_id: string;
}

/** The address of a draft, masked. */
export interface OrderDraftShownDraftAddress {
  country: string;
  detail: string;
  phone: string;
  receiver: string;
}

/** `qty` units of one SKU that the buyer means to order, from this warehouse if it names one. */
export interface OrderDraftShownDraftLine {
  qty: number;
  sku_id: string;
  warehouse: string | null;
}

/** A draft. */
export interface OrderDraftShownDraftShown {
  address: OrderDraftShownDraftAddress | null;
  channel: string;
  currency: string;
  delete_at: string;
  draft_id: string;
  has_remark: boolean;
  items: Array<OrderDraftShownDraftLine>;
  order_id: string | null;
  revision: number;
  saved_at: string;
}

/** The answer to order.draft.get. */
export interface OrderDraftShown {
  draft: OrderDraftShownDraftShown;
  user_id: string;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface OrderImportRecordedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The order of another system is here, under an id and a number of ours. */
export interface OrderImportRecorded {
  captured: OrderImportRecordedMoneyShown;
  external_no: string;
  order_id: string;
  order_no: string;
  payable: OrderImportRecordedMoneyShown;
  refunded: OrderImportRecordedMoneyShown;
  source: string;
  state: string;
  user_id: string;
}

/** The order has another note of operators, or none. */
export interface OrderNoteChanged {
  order_id: string;
  user_id: string;
}

/** The number belongs to this user, for one order. */
export interface OrderNumberIssued {
  order_no: string;
  user_id: string;
}

/** The order has another remark, or none. */
export interface OrderRemarkChanged {
  order_id: string;
  user_id: string;
}

/** The outcome of a command about a split order: the orders it changed. */
export interface OrdersChanged {
  command: string;
  order_ids: Array<string>;
}

/** The outcome of order.delete: all named orders are hidden. */
export interface OrdersDeleted {
  order_ids: Array<string>;
}

/** A buyer cannot pay the attempt any more. */
export interface PaymentAttemptClosed {
  attempt_id: string;
  order_id: string;
  provider: string;
  reason_code: string;
}

/** A provider reserves the money until `expire_at`; `trade_no` is its number of the authorisation. */
export interface PaymentAuthorized {
  amount: number;
  currency: string;
  expire_at: string;
  intent_id: string | null;
  order_id: string;
  provider: string;
  trade_no: string;
  verdict: "kept" | "late" | "duplicate" | "mismatch";
}

/** A provider's notification as upstream's HTTP edge received it, neither parsed nor re-encoded. */
export interface PaymentCallback {
  body: string;
  headers: Record<string, unknown>;
  provider: string;
  received_at: string;
}

/** A notification is not believed. */
export interface PaymentCallbackRejected {
  code: string;
  message: string;
  notification_id: string;
  provider: string;
  received_at: string;
}

/** On whose behalf a command comes. */
export interface PaymentCaptureActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** An operator takes the money of an authorised payment now: before the goods leave, or after a capture failed. */
export interface PaymentCapture {
  actor: PaymentCaptureActor;
  order_id: string;
  request_id: string;
}

/** The money of an authorised payment is being taken. */
export interface PaymentCaptureRequested {
  amount: number;
  attempt_id: string;
  currency: string;
  order_id: string;
  provider: string;
}

/** Money came in. */
export interface PaymentCaptured {
  amount: number;
  currency: string;
  intent_id: string | null;
  order_id: string;
  provider: string;
  trade_no: string;
  verdict: "kept" | "late" | "duplicate" | "mismatch" | "waiting";
}

/** One attempt to pay through a provider. */
export interface PaymentDescribedAttemptShown {
  amount: PaymentDescribedMoneyShown;
  attempt_id: string;
  expire_at: string;
  provider: string;
  reason_code: string | null;
  scene: string;
  started_at: string;
  state: string;
}

/** A dispute about a payment, as order.get shows it, and when its provider got evidence from us (`submitted`). */
export interface PaymentDescribedDisputeOfPayment {
  amount: PaymentDescribedMoneyShown;
  dispute_no: string;
  due_at: string | null;
  occurred_at: string;
  reason_code: string | null;
  state: string;
  submitted: Array<string>;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface PaymentDescribedMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** What a provider reported: `kind` is captured or failed, `verdict` what it was for us; and disputes about it. */
export interface PaymentDescribedPaymentShown {
  amount: PaymentDescribedMoneyShown;
  disputes: Array<PaymentDescribedDisputeOfPayment>;
  kind: string;
  occurred_at: string;
  provider: string;
  reason_code: string | null;
  trade_no: string;
  verdict: string;
}

/** One refund, under way or ended. */
export interface PaymentDescribedRefundShown {
  amount: PaymentDescribedMoneyShown;
  cause: string;
  finished_at: string | null;
  order_id: string;
  provider: string;
  reason_code: string | null;
  refund_no: string;
  replaces: string | null;
  requested_at: string | null;
  state: string;
}

/** The answer to payment.get. */
export interface PaymentDescribed {
  attempts: Array<PaymentDescribedAttemptShown>;
  captured: PaymentDescribedMoneyShown;
  expire_at: string;
  order_id: string;
  order_no: string | null;
  payable: PaymentDescribedMoneyShown;
  payments: Array<PaymentDescribedPaymentShown>;
  refunded: PaymentDescribedMoneyShown;
  refunds: Array<PaymentDescribedRefundShown>;
  state: string;
  version: number;
}

/** A statement and our books differ in one capture or refund: it is missing on one side, or amount or currency d… */
export interface PaymentDiscrepancyFound {
  currency: string;
  day: string;
  kind: "missing_here" | "missing_there" | "amount";
  line: number | null;
  movement: "capture" | "refund";
  number: string | null;
  order_id: string | null;
  ours: number | null;
  provider: string;
  their_currency: string | null;
  theirs: number | null;
  trade_no: string;
}

/** A buyer disputes `amount` of a capture, or the dispute has ended: won by the merchant, lost, or closed otherw… */
export interface PaymentDisputed {
  amount: number;
  currency: string;
  dispute_no: string;
  due_at: string | null;
  intent_id: string | null;
  order_id: string;
  provider: string;
  reason_code: string | null;
  state: "opened" | "won" | "lost" | "closed";
  trade_no: string;
}

/** An attempt failed. */
export interface PaymentFailed {
  amount: number;
  currency: string;
  intent_id: string | null;
  order_id: string;
  provider: string;
  reason_code: string | null;
  trade_no: string;
}

/** On whose behalf a command comes. */
export interface PaymentGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask how an order is paid: what was attempted, what came in, what went back. */
export interface PaymentGet {
  actor: PaymentGetActor;
  min_version?: number;
  order: string;
}

/** On whose behalf a command comes. */
export interface PaymentReconcileActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** A provider's whole statement of one day. */
export interface PaymentReconcile {
  actor: PaymentReconcileActor;
  content: string;
  day: string;
  provider: string;
  request_id: string;
}

/** A statement was compared with our books. */
export interface PaymentReconciled {
  day: string;
  differences: number;
  matched: number;
  provider: string;
  rows: number;
}

/** A part of an authorised amount will not be captured, because the order does not want it any more. */
export interface PaymentReleased {
  amount: number;
  cause: string;
  currency: string;
  order_id: string;
  provider: string;
  refund_no: string;
  trade_no: string;
}

/** A payment result from the shop's payment adapter. (provider, trade_no, kind) identifies it for ever. */
export interface PaymentResult {
  amount: number;
  currency: string;
  intent_id?: string | null;
  kind: "captured" | "failed";
  occurred_at: string;
  order_id: string;
  provider: string;
  reason?: string | null;
  reason_code?: string | null;
  trade_no: string;
}

/** On whose behalf a command comes. */
export interface PaymentStartActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** The buyer wants to pay now: open an attempt at a provider. payment.started has what the client needs. */
export interface PaymentStart {
  actor: PaymentStartActor;
  amount: number;
  client_ip?: string | null;
  currency: string;
  intent_id?: string | null;
  order_id: string;
  payer?: string | null;
  provider: string;
  request_id: string;
  return_url?: string | null;
  scene: string;
}

/** An attempt is open. */
export interface PaymentStarted {
  amount: number;
  attempt_id: string;
  currency: string;
  fields: Record<string, unknown>;
  intent_id: string;
  kind: "redirect" | "qr" | "form" | "app";
  order_id: string;
  out_trade_no: string;
  pay_before: string;
  provider: string;
  scene: string;
  url: string | null;
}

/** An authorisation has ended: none of its money was captured, or will be. */
export interface PaymentVoided {
  amount: number;
  currency: string;
  intent_id: string | null;
  order_id: string;
  provider: string;
  reason_code: string | null;
  trade_no: string;
}

/** On whose behalf a command comes. */
export interface PlanForecastActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask how much of a SKU will be sold in each of the next periods, or how a `series` of demands goes on. */
export interface PlanForecast {
  actor: PlanForecastActor;
  alpha?: string | null;
  first_forecast?: string | null;
  horizon?: number;
  period?: string;
  periods?: number;
  series?: Array<number>;
  sku_id?: string | null;
  warehouse?: string | null;
}

/** A past period: what was sold, and what the forecast for it was. */
export interface PlanForecastShownDemandPoint {
  forecast: string;
  starts_on: string | null;
  units: number;
}

/** A period to come. */
export interface PlanForecastShownForecastPoint {
  forecast: string;
  starts_on: string | null;
}

/** The answer to plan.forecast. */
export interface PlanForecastShown {
  alpha: string;
  forecast: Array<PlanForecastShownForecastPoint>;
  history: Array<PlanForecastShownDemandPoint>;
  mean_absolute_error: string;
  period: string;
  root_mean_square_error: string;
  sku_id: string | null;
  time_zone: string;
}

/** On whose behalf a command comes. */
export interface PlanPriceActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Units that were sold in a period at a price in minor units. */
export interface PlanPricePricePoint {
  price: number;
  units: number;
}

/** Ask at which price a SKU earns most in a period, by a line through what was sold at which price. */
export interface PlanPrice {
  actor: PlanPriceActor;
  at_prices?: Array<number>;
  currency: string;
  period?: string;
  periods?: number;
  points?: Array<PlanPricePricePoint>;
  price_max?: number | null;
  price_min?: number | null;
  sku_id?: string | null;
  warehouse?: string | null;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface PlanPriceShownMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** What would be sold and earned in a period at a price, by the line. */
export interface PlanPriceShownPricePrediction {
  price: PlanPriceShownMoneyShown;
  revenue: PlanPriceShownMoneyShown;
  units: string;
}

/** What was sold in a period, and its mean price in minor units with four digits. */
export interface PlanPriceShownPricedDemand {
  price: string;
  starts_on: string | null;
  units: number;
}

/** The answer to plan.price: units = beta0 + beta1 x price in minor units, and the price that earns most. */
export interface PlanPriceShown {
  best: PlanPriceShownPricePrediction;
  beta0: string;
  beta1: string;
  currency: string;
  flag: string;
  history: Array<PlanPriceShownPricedDemand>;
  period: string;
  predictions: Array<PlanPriceShownPricePrediction>;
  r_squared: string;
  sku_id: string | null;
  time_zone: string;
}

/** On whose behalf a command comes. */
export interface PlanReorderActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask whether to order more of a SKU, and how much. */
export interface PlanReorder {
  actor: PlanReorderActor;
  alpha?: string | null;
  available?: number | null;
  currency: string;
  holding_cost: number;
  lead_time_days: number;
  on_order?: number;
  order_cost: number;
  period?: string;
  periods?: number;
  service_level?: string;
  sku_id: string;
  warehouse?: string | null;
}

/** An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY. */
export interface PlanReorderShownMoneyShown {
  currency: string;
  minor: number;
  text: string;
}

/** The answer to plan.reorder: order `suggested` units now, which are whole lots; 0 is none. */
export interface PlanReorderShown {
  alpha: string;
  annual_demand: string;
  available: number;
  economic_quantity: string;
  forecast: string;
  lead_time_demand: string;
  lot: number;
  on_order: number;
  period: string;
  reorder_point: number;
  safety_stock: number;
  sku_id: string;
  suggested: number;
  time_zone: string;
  warehouse: string | null;
  yearly_cost: PlanReorderShownMoneyShown;
}

/** On whose behalf a command comes. */
export interface PointsAdjustActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** An operator corrects a user's points: by `points` up, or down if they are below 0. */
export interface PointsAdjust {
  actor: PointsAdjustActor;
  points: number;
  reason: string;
  reason_code: string;
  request_id: string;
  user_id: string;
}

/** One entry of a user's points ledger, and the account after it. */
export interface PointsChanged {
  balance: number;
  growth: number;
  held: number;
  op: "grant" | "hold" | "use" | "release" | "return" | "reclaim" | "award" | "revoke" | "restore" | "add" | "deduct";
  order_id: string | null;
  points: number;
  reason_code: string | null;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface PointsGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask how many points a user has, and for the newest changes. */
export interface PointsGet {
  actor: PointsGetActor;
  user_id: string;
}

/** Give a user points outside of orders. */
export interface PointsGrant {
  points: number;
  reason: string;
  request_id: string;
  user_id: string;
}

/** One change of a user's points, with its cause: `ref`, and the order if one caused it. */
export interface PointsShownPointsEntry {
  at: string;
  growth: number;
  op: string;
  order_id: string | null;
  points: number;
  ref: string;
}

/** The answer to points.get. */
export interface PointsShown {
  balance: number;
  entries: Array<PointsShownPointsEntry>;
  growth: number;
  held: number;
  level: string | null;
  user_id: string;
}

/** The promotion has the terms of this revision. */
export interface PromotionChanged {
  promo_id: string;
  revision: number;
}

/** The revision is not above the stored one. */
export interface PromotionUnchanged {
  current_revision: number;
  promo_id: string;
  revision: number;
}

/** From `count` units on, buyers pay this part of the price: 7500 basis points are 75 % (7.5 折). */
export interface PromotionUpsertLadderStep {
  count: number;
  pay_basis_points: number;
}

/** From an amount of `full` on, buyers pay `reduce` less; both in minor units. */
export interface PromotionUpsertReductionStep {
  full: number;
  reduce: number;
}

/** Set a promotion. */
export interface PromotionUpsert {
  currency: string;
  ends_at: string;
  kind: "none" | "single" | "member" | "ladder" | "full_reduction" | "flash";
  member_prices?: Record<string, unknown>;
  name: string;
  per_user_limit?: number | null;
  prices?: Record<string, unknown>;
  promo_id: string;
  quantity?: number | null;
  revision: number;
  scope: "spu" | "category" | "all";
  scope_id?: string | null;
  starts_at: string;
  steps?: Array<PromotionUpsertLadderStep | PromotionUpsertReductionStep>;
}

/** The reply to a query that we cannot read, that its sender may not send, or that failed here. */
export interface QueryRejected {
  code: string;
  message: string;
  path: string | null;
}

/** The provider refused the refund. */
export interface RefundFailed {
  amount: number;
  cause: string;
  currency: string;
  order_id: string;
  provider: string;
  reason_code: string | null;
  refund_no: string;
  trade_no: string;
}

/** On whose behalf a command comes. */
export interface RefundRequestActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** An operator refunds money, never more than is captured and not yet refunded. */
export interface RefundRequest {
  actor: RefundRequestActor;
  amount: number;
  order_id: string;
  reason?: string | null;
  reason_code?: string | null;
  refund_no?: string | null;
  replaces?: string | null;
  request_id: string;
}

/** Money is owed. */
export interface RefundRequested {
  amount: number;
  cause: string;
  currency: string;
  order_id: string;
  provider: string;
  refund_no: string;
  replaces: string | null;
  trade_no: string;
}

/** The result of a refund. */
export interface RefundResult {
  amount: number;
  currency: string;
  occurred_at: string;
  provider?: string | null;
  reason?: string | null;
  reason_code?: string | null;
  refund_no: string;
  status: "succeeded" | "failed";
  trade_no?: string | null;
}

/** The money of a reversal came back to the merchant, who won the dispute. */
export interface RefundReturned {
  amount: number;
  cause: string;
  currency: string;
  order_id: string;
  provider: string;
  refund_no: string;
  trade_no: string;
}

/** The provider has refunded the money. */
export interface RefundSucceeded {
  amount: number;
  cause: string;
  currency: string;
  excess_amount: number;
  order_id: string;
  provider: string;
  refund_no: string;
  trade_no: string;
}

/** The stored revision of an entry was set. */
export interface RevisionChanged {
  id: string;
  kind: string;
  previous_revision: number;
  revision: number;
}

/** Set the stored revision of one entry of the catalogue, so that a message with a revision above it counts agai… */
export interface RevisionReset {
  id: string;
  kind: "sku" | "promotion" | "coupon_template" | "member" | "settings" | "warehouses" | "warehouse_hours";
  reason: string;
  request_id: string;
  revision: number;
}

/** What the client knows about the device and the behaviour of the buyer, for the risk check alone. */
export interface RiskRequestedClientFacts {
  behaviour_score: number | null;
  device_kind: "computer" | "phone" | "tablet" | "other" | null;
  device_known_seconds: number | null;
  device_ref: string | null;
  network_ref: string | null;
}

/** An order needs a risk check. */
export interface RiskRequested {
  amount: number;
  answer_before: string;
  business_type: string;
  captcha_answers: number;
  captcha_token: string | null;
  channel: string;
  client: RiskRequestedClientFacts | null;
  country: string | null;
  currency: string;
  order_id: string;
  units: number;
  user_id: string;
}

/** The risk check's verdict about one order. */
export interface RiskResult {
  captcha_answers?: number | null;
  order_id: string;
  reason?: string | null;
  verdict: "passed" | "held" | "rejected" | "captcha_required";
}

/** `qty` units of one line of the order, which go back to the buyer. */
export interface SendBackRequestedSendBackLine {
  line_no: number;
  qty: number;
  sku_id: string;
}

/** The warehouse is to send them: it answers with after_sale.send_back. */
export interface SendBackRequested {
  case_id: string;
  case_no: string;
  lines: Array<SendBackRequestedSendBackLine>;
  order_id: string;
  order_no: string | null;
  user_id: string;
  warehouse: string;
}

/** `qty` units of one line of the order, which go back to the buyer. */
export interface SendBackShippedSendBackLine {
  line_no: number;
  qty: number;
  sku_id: string;
}

/** They are on their way, as a parcel of the case. */
export interface SendBackShipped {
  carrier: string;
  case_id: string;
  case_no: string;
  lines: Array<SendBackShippedSendBackLine>;
  order_id: string;
  order_no: string | null;
  shipment_id: string;
  tracking_no: string;
  user_id: string;
  warehouse: string;
}

/** New orders of the business type follow this revision. */
export interface SettingsChanged {
  business_type: string;
  revision: number;
}

/** After-sale rules of one business type. */
export interface SettingsSetAfterSaleSettings {
  approve_up_to_minor_units?: Record<string, unknown> | null;
  exchange_ships?: "after_inspection" | "at_approval" | null;
  full_refund_closes?: boolean | null;
  merchant_faults?: Array<string> | null;
  on_unreviewed?: "approve" | "reject" | "wait" | null;
  reasons?: Array<string> | null;
  return_seconds?: number | null;
  review_seconds?: number | null;
  window_seconds?: number | null;
}

/** Set the rules of new orders of one business type. */
export interface SettingsSet {
  after_sale?: SettingsSetAfterSaleSettings | null;
  allow_coupon?: boolean | null;
  allow_points?: boolean | null;
  business_type: string;
  cancel_paid?: "until_handed_over" | "never" | null;
  capture_on?: "payment" | "hand_over" | null;
  complete_on?: "receipt" | "delivered" | null;
  deduct_on?: "create" | "pay" | "ship" | null;
  group_size?: number | null;
  group_window_seconds?: number | null;
  on_late_payment?: "refund" | "reinstate_if_stock" | null;
  on_payment_failure?: "keep_open" | "cancel" | null;
  on_shortage?: "ship_rest" | "ask_then_ship" | "ask_then_cancel" | null;
  payment_window_seconds?: number | null;
  rate_limit_orders?: number | null;
  rate_limit_window_seconds?: number | null;
  revision: number;
  ship_cutoff?: string | null;
  ship_within_seconds?: number | null;
  shortage_window_seconds?: number | null;
  units_max_per_line?: number | null;
}

/** The revision is not above the stored one. */
export interface SettingsUnchanged {
  business_type: string;
  current_revision: number;
  revision: number;
}

/** `qty` units of one SKU for the parcel. */
export interface ShipmentBookShipmentBookLine {
  order_id?: string | null;
  qty: number;
  sku_id: string;
}

/** A parcel is planned, identified by (carrier, tracking_no) until it has ended. */
export interface ShipmentBook {
  carrier: string;
  lines?: Array<ShipmentBookShipmentBookLine>;
  order_id: string;
  order_ids?: Array<string>;
  tracking_no: string;
  warehouse?: string | null;
}

/** `qty` units of one SKU of the order. */
export interface ShipmentBookedShipmentLine {
  qty: number;
  sku_id: string;
}

/** A parcel is planned. */
export interface ShipmentBooked {
  carrier: string;
  lines: Array<ShipmentBookedShipmentLine>;
  order_id: string;
  ship_time: string | null;
  shipment_id: string | null;
  tracking_no: string;
}

/** A parcel cannot be planned: the order does not allow it, or the carrier refuses. */
export interface ShipmentBookingFailed {
  carrier: string;
  code: string;
  details: Record<string, unknown>;
  order_id: string;
  shipment_id: string | null;
  tracking_no: string;
}

/** `qty` units of one SKU for the parcel. */
export interface ShipmentCreateShipmentBookLine {
  order_id?: string | null;
  qty: number;
  sku_id: string;
}

/** Book a parcel at one of the carriers that OMS_CARRIERS names, which gives it its number. */
export interface ShipmentCreate {
  carrier: string;
  lines?: Array<ShipmentCreateShipmentBookLine>;
  order_id: string;
  order_ids?: Array<string>;
  request_id: string;
  warehouse?: string | null;
}

/** One carrier fact, identified by (carrier, tracking_no, event_id). */
export interface ShipmentUpdate {
  carrier: string;
  event_id: string;
  occurred_at: string;
  order_id?: string | null;
  place?: string | null;
  status: "outbound" | "picked_up" | "in_transit" | "out_for_delivery" | "delivered" | "delayed" | "refused" | "undeliverable" | "lost" | "returning" | "returned" | "loss_confirmed";
  tracking_no: string;
}

/** A carrier fact moved a parcel, or marked it as delayed. */
export interface ShipmentUpdated {
  after_delivery: boolean;
  carrier: string;
  case_id: string | null;
  delayed: boolean;
  order_id: string;
  previous: string;
  shipment_id: string | null;
  status: string;
  to_buyer: boolean;
  tracking_no: string;
}

/** The SKU has the values of this revision. */
export interface SkuChanged {
  revision: number;
  sku_id: string;
}

/** The revision is not above the stored one. */
export interface SkuUnchanged {
  current_revision: number;
  revision: number;
  sku_id: string;
}

/** Set a SKU: name, price in minor units, whether it is on sale. */
export interface SkuUpsert {
  category_id?: string | null;
  currency: string;
  gift_growth?: number;
  gift_points?: number;
  image_url?: string | null;
  name: string;
  points_limit?: number | null;
  price: number;
  product_type?: string;
  purchase_price?: number | null;
  revision: number;
  seller_id?: string | null;
  sku_id: string;
  specs?: Record<string, unknown>;
  spu_id: string;
  status: "on_sale" | "off_sale";
  tax_class?: string | null;
  unit?: string | null;
}

/** Correct a counter after a stock-take. */
export interface StockAdjust {
  delta: number;
  reason: string;
  request_id: string;
  sku_id: string;
  warehouse: string;
}

/** A correction is written. */
export interface StockAdjusted {
  delta: number;
  locked: number;
  on_hand: number;
  quarantined: number;
  request_id: string;
  sku_id: string;
  warehouse: string;
}

/** The holder's state does not allow a stock message. */
export interface StockDiscrepancy {
  details: Record<string, unknown>;
  holder_id: string;
  op: string;
  state: string;
}

/** The warehouse has decided about units in quarantine: they are sold again, or written off. */
export interface StockEndQuarantine {
  outcome: "sellable" | "written_off";
  qty: number;
  reason_code: string;
  request_id: string;
  sku_id: string;
  warehouse: string;
}

/** On whose behalf a command comes. */
export interface StockGetActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask how much of some SKUs each warehouse has. */
export interface StockGet {
  actor: StockGetActor;
  sku_ids: Array<string>;
}

/** The units that can be sold there fell to the threshold or below: announced again once they rose. */
export interface StockLow {
  sellable: number;
  sku_id: string;
  threshold: number;
  warehouse: string;
}

/** These units are not in quarantine any more: they are on hand, or gone for good. */
export interface StockQuarantineEnded {
  locked: number;
  on_hand: number;
  outcome: string;
  qty: number;
  quarantined: number;
  reason_code: string;
  request_id: string;
  sku_id: string;
  warehouse: string;
}

/** Goods arrived in a warehouse. */
export interface StockReceive {
  qty: number;
  ref: string;
  sku_id: string;
  warehouse: string;
}

/** Received goods are on hand. */
export interface StockReceived {
  locked: number;
  on_hand: number;
  qty: number;
  quarantined: number;
  ref: string;
  sku_id: string;
  warehouse: string;
}

/** What a warehouse has of a SKU: `available` is what is on hand and not locked for an order. */
export interface StockShownStockOfSku {
  available: number;
  locked: number | null;
  on_hand: number | null;
  quarantined: number | null;
  sku_id: string;
  threshold: number | null;
  warehouse: string;
}

/** The answer to stock.get, by SKU and warehouse. */
export interface StockShown {
  stock: Array<StockShownStockOfSku>;
}

/** The last unit that could be sold there is locked or gone. */
export interface StockSoldOut {
  sku_id: string;
  warehouse: string;
}

/** Announce stock.low when so few units of the SKU can be sold there, 0: never. null: as the shop's setting says. */
export interface StockThresholdSet {
  request_id: string;
  sku_id: string;
  units: number | null;
  warehouse: string;
}

/** The threshold of the SKU in this warehouse; null stands for the shop's. */
export interface StockThresholdChanged {
  request_id: string;
  sku_id: string;
  units: number | null;
  warehouse: string;
}

/** `qty` units of one SKU. */
export interface StockTransferTransferLine {
  qty: number;
  sku_id: string;
}

/** Goods moved from one warehouse to another: all lines are booked or none. */
export interface StockTransfer {
  lines: Array<StockTransferTransferLine>;
  request_id: string;
  to_warehouse: string;
  warehouse: string;
}

/** Units of one SKU that moved, and what is on hand now in the warehouse that they left and in the other one. */
export interface StockTransferredTransferredSku {
  on_hand: number;
  qty: number;
  sku_id: string;
  to_on_hand: number;
}

/** These units are in the other warehouse. */
export interface StockTransferred {
  lines: Array<StockTransferredTransferredSku>;
  request_id: string;
  to_warehouse: string;
  warehouse: string;
}

/** On whose behalf a command comes. */
export interface SubjectEraseActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Make everything that a user entered or that names the user unreadable. */
export interface SubjectErase {
  actor: SubjectEraseActor;
  reason_code?: string | null;
  request_id: string;
  user_id: string;
}

/** The user's data key and everything under it are gone. */
export interface SubjectErased {
  orders: number;
  reason_code: string | null;
  user_id: string;
}

/** On whose behalf a command comes. */
export interface SubjectExportActor {
  id: string;
  type: "user" | "operator" | "system";
}

/** Ask for everything that is kept about a user, in clear, part by part. */
export interface SubjectExport {
  actor: SubjectExportActor;
  cursor?: string | null;
  user_id: string;
}

/** One part: table -> rows as they are stored, with what is encrypted in clear. */
export interface SubjectExported {
  data: Record<string, unknown>;
  next: string | null;
  user_id: string;
}

/** New orders from the warehouse are promised by the hours of this revision. */
export interface WarehouseHoursChanged {
  revision: number;
  warehouse: string;
}

/** Say when a warehouse works: in its time zone, on these days of the week, but not on holidays. */
export interface WarehouseHoursSet {
  holidays?: Array<string>;
  revision: number;
  ship_cutoff?: string;
  time_zone: string;
  warehouse: string;
  working_days: Array<"monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" | "sunday">;
}

/** The revision is not above the stored one. */
export interface WarehouseHoursUnchanged {
  current_revision: number;
  revision: number;
  warehouse: string;
}

/** New orders come from the warehouses of this revision. */
export interface WarehousesChanged {
  country: string;
  province: string;
  revision: number;
  sku_id: string;
}

/** Say from which warehouses an order line comes that names none, the best first. */
export interface WarehousesSet {
  country?: string;
  province?: string;
  revision: number;
  sku_id?: string;
  warehouses: Array<string>;
}

/** The revision is not above the stored one. */
export interface WarehousesUnchanged {
  country: string;
  current_revision: number;
  province: string;
  revision: number;
  sku_id: string;
}

/** Type of a message -> its body. */
export interface Commands {
  "after_sale.apply": AfterSaleApply;
  "after_sale.cancel": AfterSaleCancel;
  "after_sale.close": AfterSaleClose;
  "after_sale.inspect": AfterSaleInspect;
  "after_sale.receive": AfterSaleReceive;
  "after_sale.reopen": AfterSaleReopen;
  "after_sale.review": AfterSaleReview;
  "after_sale.send_back": AfterSaleSendBack;
  "after_sale.ship_back": AfterSaleShipBack;
  "cart.put": CartPut;
  "cart.remove": CartRemove;
  "comment.mark": CommentMark;
  "contact.set": ContactSet;
  "coupon.issue": CouponIssue;
  "coupon_template.upsert": CouponTemplateUpsert;
  "dispute.submit_evidence": DisputeSubmitEvidence;
  "fulfilment.get": FulfilmentGet;
  "member.upsert": MemberUpsert;
  "order.amount.adjust": OrderAmountAdjust;
  "order.cancel": OrderCancel;
  "order.cancel_later": OrderCancelLater;
  "order.cancel_rest": OrderCancelRest;
  "order.captcha.answer": OrderCaptchaAnswer;
  "order.change_address": OrderChangeAddress;
  "order.change_note": OrderChangeNote;
  "order.change_remark": OrderChangeRemark;
  "order.confirm_receipt": OrderConfirmReceipt;
  "order.create": OrderCreate;
  "order.delete": OrderDelete;
  "order.draft.delete": OrderDraftDelete;
  "order.draft.save": OrderDraftSave;
  "order.hold": OrderHold;
  "order.import": OrderImport;
  "order.keep": OrderKeep;
  "order.merge": OrderMerge;
  "order.number.issue": OrderNumberIssue;
  "order.release": OrderRelease;
  "order.shortage.decide": OrderShortageDecide;
  "order.shortage.report": OrderShortageReport;
  "payment.capture": PaymentCapture;
  "payment.reconcile": PaymentReconcile;
  "payment.start": PaymentStart;
  "points.adjust": PointsAdjust;
  "points.grant": PointsGrant;
  "promotion.upsert": PromotionUpsert;
  "refund.request": RefundRequest;
  "revision.reset": RevisionReset;
  "settings.set": SettingsSet;
  "shipment.create": ShipmentCreate;
  "sku.upsert": SkuUpsert;
  "stock.adjust": StockAdjust;
  "stock.end_quarantine": StockEndQuarantine;
  "stock.receive": StockReceive;
  "stock.threshold.set": StockThresholdSet;
  "stock.transfer": StockTransfer;
  "subject.erase": SubjectErase;
  "warehouse_hours.set": WarehouseHoursSet;
  "warehouses.set": WarehousesSet;
}

/** Type of a message -> its body. */
export interface Facts {
  "fulfilment.accept": FulfilmentAccept;
  "fulfilment.cancel_accepted": FulfilmentCancelAccepted;
  "fulfilment.cancel_refused": FulfilmentCancelRefused;
  "fulfilment.hand_over": FulfilmentHandOver;
  "fulfilment.pack": FulfilmentPack;
  "fulfilment.pick": FulfilmentPick;
  "fulfilment.refuse": FulfilmentRefuse;
  "payment.callback": PaymentCallback;
  "payment.result": PaymentResult;
  "refund.result": RefundResult;
  "risk.result": RiskResult;
  "shipment.book": ShipmentBook;
  "shipment.update": ShipmentUpdate;
}

/** Type of a message -> its body. */
export interface Queries {
  "after_sale.get": AfterSaleGet;
  "after_sale.list": AfterSaleList;
  "archived_order.get": ArchivedOrderGet;
  "archived_order.list": ArchivedOrderList;
  "cart.get": CartGet;
  "contact.list": ContactList;
  "coupon.list": CouponList;
  "dashboard.get": DashboardGet;
  "dispute.get": DisputeGet;
  "dispute.list": DisputeList;
  "group.get": GroupGet;
  "order.as_of": OrderAsOf;
  "order.draft.get": OrderDraftGet;
  "order.draft.list": OrderDraftList;
  "order.explain": OrderExplain;
  "order.get": OrderGet;
  "order.history": OrderHistory;
  "order.list": OrderList;
  "order.preview": OrderPreview;
  "order.stuck": OrderStuck;
  "order.track": OrderTrack;
  "payment.get": PaymentGet;
  "plan.forecast": PlanForecast;
  "plan.price": PlanPrice;
  "plan.reorder": PlanReorder;
  "points.get": PointsGet;
  "stock.get": StockGet;
  "subject.export": SubjectExport;
}

/** Type of a message -> its body. */
export interface Events {
  "after_sale.approved": AfterSaleApproved;
  "after_sale.closed": AfterSaleClosed;
  "after_sale.completed": AfterSaleCompleted;
  "after_sale.inspect_failed": AfterSaleInspectFailed;
  "after_sale.inspect_passed": AfterSaleInspectPassed;
  "after_sale.inspecting": AfterSaleInspecting;
  "after_sale.refund_failed": AfterSaleRefundFailed;
  "after_sale.refunding": AfterSaleRefunding;
  "after_sale.rejected": AfterSaleRejected;
  "after_sale.reopened": AfterSaleReopened;
  "after_sale.requested": AfterSaleRequested;
  "after_sale.reshipping": AfterSaleReshipping;
  "after_sale.return_awaited": AfterSaleReturnAwaited;
  "after_sale.return_received": AfterSaleReturnReceived;
  "after_sale.return_shipped": AfterSaleReturnShipped;
  "after_sale.revoked": AfterSaleRevoked;
  "after_sale.unreturned": AfterSaleUnreturned;
  "alert.raised": AlertRaised;
  "cart.changed": CartChanged;
  "cart.items_removed": CartItemsRemoved;
  "command.rejected": CommandRejected;
  "comment.marked": CommentMarked;
  "contact.changed": ContactChanged;
  "coupon.changed": CouponChanged;
  "coupon.issued": CouponIssued;
  "coupon_template.changed": CouponTemplateChanged;
  "coupon_template.unchanged": CouponTemplateUnchanged;
  "dead_letter.decided": DeadLetterDecided;
  "dispute.evidence_answered": DisputeEvidenceAnswered;
  "dispute.evidence_submitted": DisputeEvidenceSubmitted;
  "fulfilment.resent": FulfilmentResent;
  "fulfilment.updated": FulfilmentUpdated;
  "group.failed": GroupFailed;
  "group.formed": GroupFormed;
  "member.changed": MemberChanged;
  "member.unchanged": MemberUnchanged;
  "notification.failed": NotificationFailed;
  "notification.sent": NotificationSent;
  "order.address_changed": OrderAddressChanged;
  "order.amount_changed": OrderAmountChanged;
  "order.cancel_refused": OrderCancelRefused;
  "order.cancelled": OrderCancelled;
  "order.cancelling": OrderCancelling;
  "order.completed": OrderCompleted;
  "order.created": OrderCreated;
  "order.deleted": OrderDeleted;
  "order.delivered": OrderDelivered;
  "order.delivery_failed": OrderDeliveryFailed;
  "order.fulfilling": OrderFulfilling;
  "order.held": OrderHeld;
  "order.merged": OrderMerged;
  "order.paid": OrderPaid;
  "order.reinstated": OrderReinstated;
  "order.reinstating": OrderReinstating;
  "order.rejected": OrderRejected;
  "order.released": OrderReleased;
  "order.rest_cancelled": OrderRestCancelled;
  "order.shipped": OrderShipped;
  "order.shortage_recorded": OrderShortageRecorded;
  "order.split": OrderSplit;
  "order_cancellation.dropped": OrderCancellationDropped;
  "order_cancellation.scheduled": OrderCancellationScheduled;
  "order_cancellation.withdrawn": OrderCancellationWithdrawn;
  "order_captcha.answered": OrderCaptchaAnswered;
  "order_captcha.required": OrderCaptchaRequired;
  "order_draft.deleted": OrderDraftDeleted;
  "order_draft.saved": OrderDraftSaved;
  "order_import.recorded": OrderImportRecorded;
  "order_note.changed": OrderNoteChanged;
  "order_number.issued": OrderNumberIssued;
  "order_remark.changed": OrderRemarkChanged;
  "orders.changed": OrdersChanged;
  "orders.deleted": OrdersDeleted;
  "payment.attempt_closed": PaymentAttemptClosed;
  "payment.authorized": PaymentAuthorized;
  "payment.callback_rejected": PaymentCallbackRejected;
  "payment.capture_requested": PaymentCaptureRequested;
  "payment.captured": PaymentCaptured;
  "payment.discrepancy_found": PaymentDiscrepancyFound;
  "payment.disputed": PaymentDisputed;
  "payment.failed": PaymentFailed;
  "payment.reconciled": PaymentReconciled;
  "payment.released": PaymentReleased;
  "payment.started": PaymentStarted;
  "payment.voided": PaymentVoided;
  "points.changed": PointsChanged;
  "promotion.changed": PromotionChanged;
  "promotion.unchanged": PromotionUnchanged;
  "refund.failed": RefundFailed;
  "refund.requested": RefundRequested;
  "refund.returned": RefundReturned;
  "refund.succeeded": RefundSucceeded;
  "revision.changed": RevisionChanged;
  "risk.requested": RiskRequested;
  "send_back.requested": SendBackRequested;
  "send_back.shipped": SendBackShipped;
  "settings.changed": SettingsChanged;
  "settings.unchanged": SettingsUnchanged;
  "shipment.booked": ShipmentBooked;
  "shipment.booking_failed": ShipmentBookingFailed;
  "shipment.updated": ShipmentUpdated;
  "sku.changed": SkuChanged;
  "sku.unchanged": SkuUnchanged;
  "stock.adjusted": StockAdjusted;
  "stock.discrepancy": StockDiscrepancy;
  "stock.low": StockLow;
  "stock.quarantine_ended": StockQuarantineEnded;
  "stock.received": StockReceived;
  "stock.sold_out": StockSoldOut;
  "stock.threshold_changed": StockThresholdChanged;
  "stock.transferred": StockTransferred;
  "subject.erased": SubjectErased;
  "warehouse_hours.changed": WarehouseHoursChanged;
  "warehouse_hours.unchanged": WarehouseHoursUnchanged;
  "warehouses.changed": WarehousesChanged;
  "warehouses.unchanged": WarehousesUnchanged;
}

/** Type of a command or query -> what ends it, with its body. Refusals are thrown. */
export interface Answers {
  "after_sale.apply": { type: "after_sale.requested.v1"; body: AfterSaleRequested };
  "after_sale.cancel": { type: "after_sale.revoked.v1"; body: AfterSaleRevoked };
  "after_sale.close": { type: "after_sale.closed.v1"; body: AfterSaleClosed } | { type: "after_sale.unreturned.v1"; body: AfterSaleUnreturned };
  "after_sale.get": { type: "after_sale.described.v1"; body: AfterSaleDescribed };
  "after_sale.inspect": { type: "after_sale.inspect_passed.v1"; body: AfterSaleInspectPassed } | { type: "after_sale.inspect_failed.v1"; body: AfterSaleInspectFailed } | { type: "after_sale.inspecting.v1"; body: AfterSaleInspecting };
  "after_sale.list": { type: "after_sale.listed.v1"; body: AfterSaleListed };
  "after_sale.receive": { type: "after_sale.return_received.v1"; body: AfterSaleReturnReceived };
  "after_sale.reopen": { type: "after_sale.reopened.v1"; body: AfterSaleReopened };
  "after_sale.review": { type: "after_sale.approved.v1"; body: AfterSaleApproved } | { type: "after_sale.closed.v1"; body: AfterSaleClosed } | { type: "after_sale.refunding.v1"; body: AfterSaleRefunding } | { type: "after_sale.rejected.v1"; body: AfterSaleRejected } | { type: "after_sale.unreturned.v1"; body: AfterSaleUnreturned };
  "after_sale.send_back": { type: "send_back.shipped.v1"; body: SendBackShipped };
  "after_sale.ship_back": { type: "after_sale.return_shipped.v1"; body: AfterSaleReturnShipped };
  "archived_order.get": { type: "archived_order.shown.v1"; body: ArchivedOrderShown };
  "archived_order.list": { type: "archived_order.listed.v1"; body: ArchivedOrderListed };
  "cart.get": { type: "cart.shown.v1"; body: CartShown };
  "cart.put": { type: "cart.changed.v1"; body: CartChanged };
  "cart.remove": { type: "cart.changed.v1"; body: CartChanged };
  "comment.mark": { type: "comment.marked.v1"; body: CommentMarked };
  "contact.list": { type: "contact.listed.v1"; body: ContactListed };
  "contact.set": { type: "contact.changed.v1"; body: ContactChanged };
  "coupon.issue": { type: "coupon.issued.v1"; body: CouponIssued };
  "coupon.list": { type: "coupon.listed.v1"; body: CouponListed };
  "coupon_template.upsert": { type: "coupon_template.changed.v1"; body: CouponTemplateChanged } | { type: "coupon_template.unchanged.v1"; body: CouponTemplateUnchanged };
  "dashboard.get": { type: "dashboard.shown.v1"; body: DashboardShown };
  "dispute.get": { type: "dispute.described.v1"; body: DisputeDescribed };
  "dispute.list": { type: "dispute.listed.v1"; body: DisputeListed };
  "dispute.submit_evidence": { type: "dispute.evidence_submitted.v1"; body: DisputeEvidenceSubmitted };
  "fulfilment.get": { type: "fulfilment.resent.v1"; body: FulfilmentResent };
  "group.get": { type: "group.described.v1"; body: GroupDescribed };
  "member.upsert": { type: "member.changed.v1"; body: MemberChanged } | { type: "member.unchanged.v1"; body: MemberUnchanged };
  "order.amount.adjust": { type: "order.amount_changed.v1"; body: OrderAmountChanged };
  "order.as_of": { type: "order.shown_as_of.v1"; body: OrderShownAsOf };
  "order.cancel": { type: "order.cancelled.v1"; body: OrderCancelled } | { type: "order.cancelling.v1"; body: OrderCancelling } | { type: "orders.changed.v1"; body: OrdersChanged };
  "order.cancel_later": { type: "order_cancellation.scheduled.v1"; body: OrderCancellationScheduled };
  "order.cancel_rest": { type: "order.rest_cancelled.v1"; body: OrderRestCancelled };
  "order.captcha.answer": { type: "order_captcha.answered.v1"; body: OrderCaptchaAnswered };
  "order.change_address": { type: "order.address_changed.v1"; body: OrderAddressChanged } | { type: "orders.changed.v1"; body: OrdersChanged };
  "order.change_note": { type: "order_note.changed.v1"; body: OrderNoteChanged };
  "order.change_remark": { type: "order_remark.changed.v1"; body: OrderRemarkChanged };
  "order.confirm_receipt": { type: "order.completed.v1"; body: OrderCompleted } | { type: "orders.changed.v1"; body: OrdersChanged };
  "order.create": { type: "order.created.v1"; body: OrderCreated };
  "order.delete": { type: "orders.deleted.v1"; body: OrdersDeleted };
  "order.draft.delete": { type: "order_draft.deleted.v1"; body: OrderDraftDeleted };
  "order.draft.get": { type: "order_draft.shown.v1"; body: OrderDraftShown };
  "order.draft.list": { type: "order_draft.listed.v1"; body: OrderDraftListed };
  "order.draft.save": { type: "order_draft.saved.v1"; body: OrderDraftSaved };
  "order.explain": { type: "order.explained.v1"; body: OrderExplained };
  "order.get": { type: "order.described.v1"; body: OrderDescribed };
  "order.history": { type: "order.history_listed.v1"; body: OrderHistoryListed };
  "order.hold": { type: "order.held.v1"; body: OrderHeld } | { type: "orders.changed.v1"; body: OrdersChanged };
  "order.import": { type: "order_import.recorded.v1"; body: OrderImportRecorded };
  "order.keep": { type: "order_cancellation.withdrawn.v1"; body: OrderCancellationWithdrawn };
  "order.list": { type: "order.listed.v1"; body: OrderListed };
  "order.merge": { type: "order.merged.v1"; body: OrderMerged };
  "order.number.issue": { type: "order_number.issued.v1"; body: OrderNumberIssued };
  "order.preview": { type: "order.previewed.v1"; body: OrderPreviewed };
  "order.release": { type: "order.released.v1"; body: OrderReleased } | { type: "orders.changed.v1"; body: OrdersChanged };
  "order.shortage.decide": { type: "order.rest_cancelled.v1"; body: OrderRestCancelled } | { type: "order.released.v1"; body: OrderReleased };
  "order.shortage.report": { type: "order.shortage_recorded.v1"; body: OrderShortageRecorded };
  "order.stuck": { type: "order.stuck_listed.v1"; body: OrderStuckListed };
  "order.track": { type: "order.tracked.v1"; body: OrderTracked };
  "payment.capture": { type: "payment.capture_requested.v1"; body: PaymentCaptureRequested };
  "payment.get": { type: "payment.described.v1"; body: PaymentDescribed };
  "payment.reconcile": { type: "payment.reconciled.v1"; body: PaymentReconciled };
  "payment.start": { type: "payment.started.v1"; body: PaymentStarted };
  "plan.forecast": { type: "plan.forecast_shown.v1"; body: PlanForecastShown };
  "plan.price": { type: "plan.price_shown.v1"; body: PlanPriceShown };
  "plan.reorder": { type: "plan.reorder_shown.v1"; body: PlanReorderShown };
  "points.adjust": { type: "points.changed.v1"; body: PointsChanged };
  "points.get": { type: "points.shown.v1"; body: PointsShown };
  "points.grant": { type: "points.changed.v1"; body: PointsChanged };
  "promotion.upsert": { type: "promotion.changed.v1"; body: PromotionChanged } | { type: "promotion.unchanged.v1"; body: PromotionUnchanged };
  "refund.request": { type: "refund.requested.v1"; body: RefundRequested };
  "revision.reset": { type: "revision.changed.v1"; body: RevisionChanged };
  "settings.set": { type: "settings.changed.v1"; body: SettingsChanged } | { type: "settings.unchanged.v1"; body: SettingsUnchanged };
  "shipment.create": { type: "shipment.booked.v1"; body: ShipmentBooked };
  "sku.upsert": { type: "sku.changed.v1"; body: SkuChanged } | { type: "sku.unchanged.v1"; body: SkuUnchanged };
  "stock.adjust": { type: "stock.adjusted.v1"; body: StockAdjusted };
  "stock.end_quarantine": { type: "stock.quarantine_ended.v1"; body: StockQuarantineEnded };
  "stock.get": { type: "stock.shown.v1"; body: StockShown };
  "stock.receive": { type: "stock.received.v1"; body: StockReceived };
  "stock.threshold.set": { type: "stock.threshold_changed.v1"; body: StockThresholdChanged };
  "stock.transfer": { type: "stock.transferred.v1"; body: StockTransferred };
  "subject.erase": { type: "subject.erased.v1"; body: SubjectErased };
  "subject.export": { type: "subject.exported.v1"; body: SubjectExported };
  "warehouse_hours.set": { type: "warehouse_hours.changed.v1"; body: WarehouseHoursChanged } | { type: "warehouse_hours.unchanged.v1"; body: WarehouseHoursUnchanged };
  "warehouses.set": { type: "warehouses.changed.v1"; body: WarehousesChanged } | { type: "warehouses.unchanged.v1"; body: WarehousesUnchanged };
}
