// Sends commands, facts and questions to oms, and reads what comes back. It needs amqplib, and nothing of oms.
import amqp, { type ChannelModel, type ConfirmChannel, type ConsumeMessage } from "amqplib";
import { randomUUID } from "node:crypto";
import type { Answers, Commands, Events, Facts, Questions } from "./messages.js";

const ANSWER_MS = 30_000;
type Outcome = { type: string; body: Record<string, unknown> };

/** oms refuses a command or a question. Decide by the code; the message is for people. */
export class Refused extends Error {
  readonly code: string;
  constructor(readonly answer: Outcome) {
    super(`${String(answer.body["code"])}: ${String(answer.body["message"])}`);
    this.code = String(answer.body["code"]);
  }
}

/** No answer came in time. The message is with oms: send it again with the same message id and request id. */
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

/** One connection of a broker user such as oms-storefront. Every publish is confirmed by the broker. */
export class Client {
  private readonly waiting = new Map<string, (answer: Outcome) => void>();

  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    private readonly replies: string,
    private readonly prefix: string,
    private readonly user: string | undefined,
  ) {}

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
    await this.connection.close();
  }

  /** Send a command, and return its outcome. Its request id makes it happen once: send it again whenever in doubt. */
  async command<K extends keyof Commands & keyof Answers & string>(
    kind: K, body: Commands[K], { messageId = randomUUID(), timeoutMs = ANSWER_MS }: { messageId?: string; timeoutMs?: number } = {},
  ): Promise<Answers[K]> {
    return (await this.request("commands", kind, body, messageId, timeoutMs)) as never;
  }

  /** Send a question, and return the reply. */
  async question<K extends keyof Questions & keyof Answers & string>(kind: K, body: Questions[K], timeoutMs = ANSWER_MS): Promise<Answers[K]> {
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
      this.waiting.set(messageId, resolve);
      timer = setTimeout(() => reject(new NoAnswer(messageId)), timeoutMs);
    });
    try {
      await this.publish(exchange, kind, body, messageId, this.replies);
      const answer = await answered;
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
      this.channel.publish(`${this.prefix}.${exchange}`, kind, Buffer.from(JSON.stringify(body)), about, (error: unknown) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  private keep(message: ConsumeMessage | null): void {
    if (message === null) return;
    const body = JSON.parse(message.content.toString()) as Record<string, unknown>;
    this.waiting.get(String(message.properties.correlationId))?.({ type: String(message.properties.type), body });
  }
}

/** Read events as the user oms-<role>-events, from a durable queue client.<role>.* bound to a key. One that throws comes again. */
export async function subscribe<K extends keyof Events & string>(
  url: string, queue: string, kind: K, handle: (event: Events[K], messageId: string) => Promise<void>, prefix = "oms",
): Promise<() => Promise<void>> {
  const connection = await amqp.connect(url);
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await channel.bindQueue(queue, `${prefix}.events`, kind);
  await channel.prefetch(100);
  await channel.consume(queue, (message) => {
    if (message === null) return;
    const event = JSON.parse(message.content.toString()) as Events[K];
    handle(event, String(message.properties.messageId)).then(() => channel.ack(message), () => channel.nack(message));
  });
  return () => connection.close();
}
