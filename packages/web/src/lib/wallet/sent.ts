/**
 * Transactions that are on their way: kept in this browser until it is known what became of them, so that a reload, a
 * lost line or a closed tab sends nothing twice. What is kept is what is sent, signed and public; no key is needed to
 * send it again, and none is kept.
 */

/** What the transaction asks for, to be shown while it is on its way. */
export interface Purpose {
  readonly kind: "place" | "amend" | "cancel";
  readonly clientId: string;
  readonly interval: number;
  readonly side: "buy" | "sell";
  readonly quantityWh: number;
  /** Millionths per kWh as text; empty for a market order and a cancellation. */
  readonly priceMicro: string;
}

/** One transaction. Bytes are in hexadecimal. */
export interface Sent extends Purpose {
  readonly id: string;
  readonly wire: string;
  readonly account: string;
  readonly chain: string;
  readonly nonce: number;
  readonly expiresMs: number;
}

const KEY = "gridtokenx.sent";
/** More than anybody waits for at once; what is older is long expired. */
const KEPT_MAX = 100;

/** A place for them: `localStorage`, or what stands for it in a test. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Of one browser, all its tabs. */
export class SentBook {
  constructor(private readonly store: Store) {}

  /** Those of an account on a chain, in the order of sending. */
  of(account: string, chain: string): Sent[] {
    return this.all().filter((sent) => sent.account === account && sent.chain === chain);
  }

  /** In a browser that keeps nothing a reload forgets it. */
  add(sent: Sent): void {
    this.write([...this.all().filter((other) => other.id !== sent.id), sent].slice(-KEPT_MAX));
  }

  remove(id: string): void {
    this.write(this.all().filter((sent) => sent.id !== id));
  }

  private all(): Sent[] {
    try {
      const found: unknown = JSON.parse(this.store.getItem(KEY) ?? "[]");
      return Array.isArray(found) ? found.filter(isSent) : [];
    } catch {
      return [];
    }
  }

  private write(all: readonly Sent[]): void {
    try {
      if (all.length === 0) this.store.removeItem(KEY);
      else this.store.setItem(KEY, JSON.stringify(all));
    } catch {
      // Storage is full or forbidden here.
    }
  }
}

/** Anybody with this browser can write there: what has another form is not taken. */
function isSent(value: unknown): value is Sent {
  if (typeof value !== "object" || value === null) return false;
  const sent = value as Record<string, unknown>;
  const texts = ["id", "wire", "account", "clientId"].every((name) => /^[0-9a-f]+$/.test(String(sent[name])));
  const numbers = ["nonce", "expiresMs", "interval", "quantityWh"].every((name) => Number.isSafeInteger(sent[name]));
  return (
    texts &&
    numbers &&
    typeof sent["chain"] === "string" &&
    ["place", "amend", "cancel"].includes(String(sent["kind"])) &&
    ["buy", "sell"].includes(String(sent["side"])) &&
    /^\d*$/.test(String(sent["priceMicro"]))
  );
}
