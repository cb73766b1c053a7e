// Sends commands, facts and queries to oms, and reads what comes back. It needs amqplib, and nothing of oms.
import amqp, { type ChannelModel, type ConfirmChannel, type ConsumeMessage } from "amqplib";
import { randomUUID } from "node:crypto";
import type { Answers, Commands, Events, Facts, Queries } from "./messages.js";

const ANSWER_MS = 30_000;
const AGAIN_MS = 1_000;
const DELIVERIES_MAX = 1_000_000; // RabbitMQ 4 gives a message up after 20, unless the queue says another number
type Outcome = { type: string; body: Record<string, unknown> };

/** oms refuses a command or a query. Decide by the code; the message is for people. */
export class Refused extends Error {
  readonly code: string;
  constructor(readonly answer: Outcome) {
    const details = answer.body["details"] as { path?: unknown } | undefined;
    const path = answer.body["path"] ?? details?.path; // of a body that could not be read
    super(`${String(answer.body["code"])}: ${path ? `${String(path)}: ` : ""}${String(answer.body["message"])}`);
    this.code = String(answer.body["code"]);
  }
}

/** No answer came in time. Perhaps oms has the message: send it again with the same message id and request id. */
export class NoAnswer extends Error {
  constructor(readonly messageId: string) {
    super(`no answer to ${messageId}`);
  }
}

export interface Options {
  /** The prefix of the exchanges; by default oms. */
  prefix?: string;
  /** Whether messages name the broker user; without it they have no role. By default they do. */
  sign?: boolean;
}

/** One connection of a broker user such as oms-storefront. Every publish is confirmed by the broker. If a method throws
 * another error than Refused and NoAnswer, the connection is of no more use: connect again, and send the same message. */
export class Client {
  private readonly waiting = new Map<string, { resolve: (answer: Outcome) => void; reject: (error: Error) => void }>();
  private lost: Error | undefined;

  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    private readonly replies: string,
    private readonly prefix: string,
    private readonly user: string | undefined,
  ) {
    const lose = (error?: Error): void => {
      this.lost ??= error ?? new Error("the connection to the broker is closed");
      for (const { reject } of this.waiting.values()) reject(this.lost);
      void connection.close().catch(() => undefined); // a channel that is closed leaves its connection open
    };
    connection.on("error", lose).on("close", lose); // an error that nobody listens to would end the process
    channel.on("error", lose).on("close", lose);
  }

  static async connect(url: string, { prefix = "oms", sign = true }: Options = {}): Promise<Client> {
    const connection = await amqp.connect(url);
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue("", { exclusive: true });
    const user = sign ? decodeURIComponent(new URL(url).username) : undefined;
    const client = new Client(connection, channel, queue, prefix, user);
    await channel.consume(queue, (message) => client.keep(message), { noAck: true });
    return client;
  }

  async close(): Promise<void> {
    if (this.lost === undefined) await this.connection.close();
  }

  /** Send a command, and return its outcome. Its request id makes it happen once: send it again whenever in doubt. */
  async command<K extends keyof Commands & keyof Answers & string>(
    kind: K, body: Commands[K], { messageId = randomUUID(), timeoutMs = ANSWER_MS }: { messageId?: string; timeoutMs?: number } = {},
  ): Promise<Answers[K]> {
    return (await this.request("commands", kind, body, messageId, timeoutMs)) as never;
  }

  /** Send a query, and return the reply. */
  async query<K extends keyof Queries & keyof Answers & string>(kind: K, body: Queries[K], timeoutMs = ANSWER_MS): Promise<Answers[K]> {
    return (await this.request("queries", kind, body, randomUUID(), timeoutMs)) as never;
  }

  /** Report a fact; it has no outcome. */
  async fact<K extends keyof Facts & string>(kind: K, body: Facts[K], messageId: string = randomUUID()): Promise<string> {
    await this.publish("commands", kind, body, messageId);
    return messageId;
  }

  private async request(exchange: string, kind: string, body: object, messageId: string, timeoutMs: number): Promise<Outcome> {
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<Outcome>((resolve, reject) => {
      this.waiting.set(messageId, { resolve, reject });
      timer = setTimeout(() => reject(new NoAnswer(messageId)), timeoutMs);
    });
    try {
      const sent = this.publish(exchange, kind, body, messageId, this.replies);
      const answer = await Promise.race([answered, sent.then(() => answered)]); // a blocked broker confirms nothing
      if ("code" in answer.body) throw new Refused(answer); // only refusals have one
      return answer;
    } finally {
      clearTimeout(timer);
      this.waiting.delete(messageId);
    }
  }

  private publish(exchange: string, kind: string, body: object, messageId: string, replyTo?: string): Promise<void> {
    const about = { type: `${kind}.v1`, messageId, correlationId: messageId, contentType: "application/json", persistent: true, userId: this.user, replyTo };
    return new Promise((resolve, reject) => {
      if (this.lost !== undefined) throw this.lost;
      this.channel.publish(`${this.prefix}.${exchange}`, kind, Buffer.from(JSON.stringify(body)), about, (error: unknown) =>
        error ? reject(this.lost ?? error) : resolve(),
      );
    });
  }

  private keep(message: ConsumeMessage | null): void {
    if (message === null) return;
    const body = JSON.parse(message.content.toString()) as Record<string, unknown>;
    this.waiting.get(String(message.properties.correlationId))?.resolve({ type: String(message.properties.type), body });
  }
}

/** Read events as the user oms-<role>-events, from a durable queue client.<role>.* bound to a key. They are handled one after
 * the other, as they come; one whose handling throws is handled again after a second. `lost` is called if the connection
 * ends before it is closed here: then subscribe again. By default it throws, which ends the process. */
export async function subscribe<K extends keyof Events & string>(
  url: string, queue: string, kind: K, handle: (event: Events[K], messageId: string) => Promise<void>, prefix = "oms",
  lost: (error: Error) => void = (error) => { throw error; },
): Promise<() => Promise<void>> {
  const connection = await amqp.connect(url);
  let [ended, cause] = [false, new Error("the connection to the broker is closed")];
  connection.on("error", (error: Error) => { cause = error; });
  connection.on("close", () => {
    if (ended) return;
    ended = true;
    setImmediate(() => lost(cause));
  });
  const channel = await connection.createChannel();
  channel.on("error", (error: Error) => { cause = error; });
  channel.on("close", () => void connection.close().catch(() => undefined));
  await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum", "x-delivery-limit": DELIVERIES_MAX } });
  await channel.bindQueue(queue, `${prefix}.events`, kind);
  await channel.prefetch(100);
  const take = async (message: ConsumeMessage): Promise<void> => {
    const event = JSON.parse(message.content.toString()) as Events[K];
    while (!ended) {
      try {
        await handle(event, String(message.properties.messageId));
        return ended ? undefined : channel.ack(message);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  };
  let turn = Promise.resolve();
  await channel.consume(queue, (message) => {
    if (message !== null) turn = turn.then(() => take(message));
  });
  return async () => {
    ended = true;
    await connection.close();
  };
}
