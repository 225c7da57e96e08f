import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { watchIdle } from "../src/lib/wallet/idle";
import { SentBook, type Sent, type Store } from "../src/lib/wallet/sent";

describe("idle", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("nobody there for so long, and it is told once", () => {
    const away = vi.fn();
    watchIdle(new EventTarget(), 900_000, away);
    vi.advanceTimersByTime(899_000);
    expect(away).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2_000_000);
    expect(away).toHaveBeenCalledOnce();
  });

  test("each touch begins it anew", () => {
    const [away, page] = [vi.fn(), new EventTarget()];
    watchIdle(page, 900_000, away);
    for (let touch = 0; touch < 5; touch += 1) {
      vi.advanceTimersByTime(600_000);
      page.dispatchEvent(new Event("keydown"));
    }
    expect(away).not.toHaveBeenCalled();
  });

  test("the touch that wakes a device does not keep open what should be locked", () => {
    const [away, page] = [vi.fn(), new EventTarget()];
    watchIdle(page, 900_000, away);
    // A device that sleeps: time passes, timers do not run.
    vi.setSystemTime(Date.now() + 3_600_000);
    page.dispatchEvent(new Event("pointerdown"));
    vi.advanceTimersByTime(1_000);
    expect(away).toHaveBeenCalledOnce();
  });

  test("it can be ended", () => {
    const away = vi.fn();
    watchIdle(new EventTarget(), 900_000, away)();
    vi.advanceTimersByTime(2_000_000);
    expect(away).not.toHaveBeenCalled();
  });
});

describe("what is on its way", () => {
  const SENT: Sent = {
    ...{ id: "aa", wire: "bb", account: "cc", chain: "try", nonce: 1, expiresMs: 5 },
    ...{ kind: "place", clientId: "dd", interval: 7, side: "buy", quantityWh: 100, priceMicro: "3500000" },
  };
  const memory = (): Store & Map<string, string> => {
    const kept = new Map<string, string>();
    return Object.assign(kept, {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    });
  };

  test("stays until it is removed, and is found by account and chain", () => {
    const store = memory();
    new SentBook(store).add(SENT);
    expect(new SentBook(store).of("cc", "try")).toEqual([SENT]);
    expect(new SentBook(store).of("cc", "other")).toEqual([]);
    expect(new SentBook(store).of("ce", "try")).toEqual([]);
    new SentBook(store).remove("aa");
    expect(store.size).toBe(0);
  });

  test("the same twice is once", () => {
    const book = new SentBook(memory());
    book.add(SENT);
    book.add(SENT);
    expect(book.of("cc", "try")).toHaveLength(1);
  });

  test.each(["no JSON", "{}", "null", '[{"id":"<b>"}]', JSON.stringify([{ ...SENT, wire: "zz" }]), JSON.stringify([{ ...SENT, interval: 1.5 }])])(
    "what somebody else wrote there is not taken: %s",
    (text) => {
      const store = memory();
      store.setItem("gridtokenx.sent", text);
      expect(new SentBook(store).of("cc", "try")).toEqual([]);
    },
  );

  test("a browser that keeps nothing is no reason not to send", () => {
    const full = { ...memory(), setItem: () => {
      throw new DOMException("full", "QuotaExceededError");
    } };
    expect(() => new SentBook(full).add(SENT)).not.toThrow();
  });
});
