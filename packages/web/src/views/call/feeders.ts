/** Names of feeders. Pure. */

import type { FeederView } from "@gridtokenx/sdk";

/** Its name, or its number where the market does not name it. */
export function feederName(feeders: readonly FeederView[], feeder: number): string {
  return feeders.find((each) => each.feeder === feeder)?.name ?? String(feeder);
}
