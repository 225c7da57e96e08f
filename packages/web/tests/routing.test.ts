import { expect, test } from "vitest";

import { matchFirst, matchPath } from "../src/lib/routing";

test("a path without names fits itself, with or without a slash at the end", () => {
  expect(matchPath("/community", "/community")).toEqual({});
  expect(matchPath("/community", "/community/")).toEqual({});
  expect(matchPath("/", "/")).toEqual({});
  expect(matchPath("/community", "/communities")).toBeUndefined();
});

test("names take one part each, decoded", () => {
  expect(matchPath("/chain/blocks/:height", "/chain/blocks/12")).toEqual({ height: "12" });
  expect(matchPath("/a/:name", "/a/x%20y")).toEqual({ name: "x y" });
  expect(matchPath("/chain/blocks/:height", "/chain/blocks")).toBeUndefined();
  expect(matchPath("/chain/blocks/:height", "/chain/blocks/1/2")).toBeUndefined();
});

test("what cannot be decoded fits nothing", () => {
  expect(matchPath("/a/:name", "/a/%E0%A4%A")).toBeUndefined();
});

test("the first route that fits wins", () => {
  const routes = [{ path: "/a/b" }, { path: "/a/:name" }] as const;
  expect(matchFirst(routes, "/a/b")?.route.path).toBe("/a/b");
  expect(matchFirst(routes, "/a/c")?.parameters).toEqual({ name: "c" });
  expect(matchFirst(routes, "/x")).toBeUndefined();
});
