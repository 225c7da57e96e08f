/**
 * Every view and the path that leads to it: the one table. A view with `nav` has an entry in the navigation, in the order
 * of this table. A view gets the `:names` of its path as properties.
 */

import type { Component } from "svelte";

import type { Dictionary } from "./lib/i18n/en";
import type { IconName } from "./lib/ui/Icon.svelte";
import { presence } from "./lib/wallet/present.svelte";
import Market from "./views/market/Market.svelte";

export type View = Component<Record<string, string>>;
export type Section = keyof Dictionary["nav"];

export interface Route {
  readonly path: string;
  readonly section: Section;
  readonly nav?: IconName;
  /** Whether it has its entry now; without it always. */
  readonly when?: () => boolean;
  readonly load: () => Promise<{ readonly default: unknown }>;
}

const market = (): Promise<{ default: unknown }> => Promise.resolve({ default: Market });

export const ROUTES: readonly Route[] = [
  { path: "/", section: "market", nav: "market", load: market },
  { path: "/intervals/:interval", section: "market", load: market },
  { path: "/zones", section: "zones", nav: "zones", load: () => import("./views/zones/Zones.svelte") },
  { path: "/zones/:interval", section: "zones", load: () => import("./views/zones/Zones.svelte") },
  { path: "/auctions", section: "zones", load: () => import("./views/call/Call.svelte") },
  { path: "/auctions/:interval", section: "zones", load: () => import("./views/call/Call.svelte") },
  { path: "/community", section: "community", nav: "community", load: () => import("./views/community/Community.svelte") },
  { path: "/chain", section: "chain", nav: "chain", load: () => import("./views/chain/Chain.svelte") },
  { path: "/chain/blocks/:height", section: "chain", load: () => import("./views/chain/Block.svelte") },
  { path: "/chain/transactions/:id", section: "chain", load: () => import("./views/chain/Transaction.svelte") },
  { path: "/chain/accounts/:id", section: "chain", load: () => import("./views/chain/Account.svelte") },
  { path: "/chain/authorities", section: "chain", load: () => import("./views/chain/authorities/Authorities.svelte") },
  { path: "/chain/search", section: "chain", load: () => import("./views/chain/Search.svelte") },
  { path: "/join", section: "join", nav: "join", when: () => presence.keyFile === null, load: () => import("./views/join/Join.svelte") },
  { path: "/home", section: "home", nav: "home", when: () => presence.keyFile !== null, load: () => import("./views/home/Home.svelte") },
  { path: "/home/intervals/:interval", section: "home", load: () => import("./views/home/Interval.svelte") },
  { path: "/home/bill", section: "home", load: () => import("./views/home/Bill.svelte") },
  { path: "/home/key", section: "home", load: () => import("./views/home/KeyView.svelte") },
  { path: "/accounts/:account", section: "home", load: () => import("./views/home/Stranger.svelte") },
];
