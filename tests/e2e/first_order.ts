// A first order with the client for other teams. tests/e2e/test_first_order.py compiles it beside the client, and runs it.
import { randomUUID } from "node:crypto";
import { Client, NoAnswer, Refused, subscribe } from "./client.js";
import type { OrderCreate, SkuUpsert } from "./messages.js";

const url = (role: string): string => process.env[`OMS_${role}_AMQP_URL`] ?? "";
const prefix = process.env["OMS_PREFIX"] ?? "oms";
const [catalogue, warehouse, storefront, payments] = await Promise.all(
  ["CATALOGUE", "WAREHOUSE", "STOREFRONT", "PAYMENTS"].map((role) => Client.connect(url(role), { prefix })),
) as [Client, Client, Client, Client];

const tea = `tea-${Date.now()}`;
const sku: SkuUpsert = { sku_id: tea, revision: 1, spu_id: "tea", name: "Tea", status: "on_sale", price: 500, currency: "USD" };
console.log((await catalogue.command("sku.upsert", sku)).type);
console.log((await warehouse.command("stock.receive", { ref: "note-1", sku_id: tea, warehouse: "main", qty: 10 })).type);

const order: OrderCreate = {
  request_id: randomUUID(), actor: { type: "user", id: "ada" }, user_id: "ada", channel: "pc", currency: "USD",
  items: [{ sku_id: tea, qty: 2 }], expected_pay_amount: 999,
  address: { receiver: "Ada", phone: "+44 20 7946 0000", country: "GB", detail: "12 St James's Square" },
};
await storefront.command("order.create", order).catch((error: unknown) => console.log(error instanceof Refused ? error.code : error));
const late = { ...order, request_id: randomUUID() };
await storefront.command("order.create", late, { timeoutMs: 0 }).catch((error: unknown) => console.log(error instanceof NoAnswer));
const created = await storefront.command("order.create", { ...order, request_id: randomUUID(), expected_pay_amount: 1000 });
console.log(created.type);

let tries = 0;
const paid = new Promise<string>((resolve) => {
  void subscribe(url("STOREFRONT_EVENTS"), `client.storefront.${tea}`, "order.paid", async (event) => {
    if (event.order_id !== created.body.order_id) return;
    if (++tries === 1) throw new Error("once more");
    resolve(`${event.state}.${tries}`);
  }, prefix).then(async () => {
    const money = { amount: created.body.amounts.payable, currency: created.body.amounts.currency };
    const about = { order_id: created.body.order_id, provider: "paypal", trade_no: tea, kind: "captured" as const };
    await payments.fact("payment.result", { ...about, ...money, occurred_at: new Date().toISOString() });
  });
});
console.log(await paid);
const seen = await storefront.query("order.get", { order: created.body.order_id, actor: { type: "user", id: "ada" } });
console.log(seen.type);
await payments.command("order.create", order).catch(() => console.log("refused.by.the.broker"));
process.exit(0);
