/**
 * What an owner does with orders: place, amend, cancel. Each is over when the order is signed and kept, and throws when that
 * cannot be done; how it goes on is told by `sender.ways` and the account's orders.
 */

import { amendOrder, cancelOrder, fromHex } from "@gridtokenx/sdk";
import type { Message, OrderView, PlaceOrder } from "@gridtokenx/sdk";

import { account } from "./account.svelte";
import type { Session } from "./own.svelte";
import { sender } from "./sender.svelte";
import type { Purpose } from "./sent";

export async function place(session: Session, message: PlaceOrder, asked: Purpose): Promise<void> {
  await begin(session, message, asked);
}

/** The order's open quantity and limit become these. */
export async function amend(session: Session, order: OrderView, remainingWh: number, priceMicro: bigint): Promise<void> {
  const message = amendOrder({ clientId: fromHex(order.clientId)!, priceMicro, remainingWh });
  await begin(session, message, { ...askedOf(order), kind: "amend", quantityWh: remainingWh, priceMicro: String(priceMicro) });
}

export async function cancel(session: Session, order: OrderView): Promise<void> {
  await begin(session, cancelOrder({ clientId: fromHex(order.clientId)! }), { ...askedOf(order), kind: "cancel" });
}

async function begin(session: Session, message: Message, asked: Purpose): Promise<void> {
  return new Promise((signed, failed) => {
    carryOut(session, message, asked, signed).catch(failed);
  });
}

async function carryOut(session: Session, message: Message, asked: Purpose, signed: () => void): Promise<void> {
  await sender.send(session, [message], asked, signed);
  // Without waiting for the stream, which may be away.
  account.take(await session.client.order(session.wallet, fromHex(asked.clientId)!));
}

function askedOf(order: OrderView): Purpose {
  return {
    kind: "place",
    clientId: order.clientId,
    interval: order.interval ?? 0,
    side: order.side === "sell" ? "sell" : "buy",
    quantityWh: order.remainingWh ?? 0,
    priceMicro: "",
  };
}
