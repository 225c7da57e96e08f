/** Which view a path means. Pure; the browser's history is in `router.svelte.ts`. */

export type Parameters = Readonly<Record<string, string>>;

/** The values of a pattern's `:names` when the path fits it, else undefined. A slash at the end does not count. */
export function matchPath(pattern: string, path: string): Parameters | undefined {
  const wanted = parts(pattern);
  const given = parts(path);
  if (wanted.length !== given.length) return undefined;
  const values: Record<string, string> = {};
  for (const [place, part] of wanted.entries()) {
    const value = given[place]!;
    if (part.startsWith(":")) {
      const decoded = decode(value);
      if (decoded === undefined) return undefined;
      values[part.slice(1)] = decoded;
    } else if (part !== value) return undefined;
  }
  return values;
}

/** The first pattern that fits, in the order given. */
export function matchFirst<T extends { readonly path: string }>(
  routes: readonly T[],
  path: string,
): { readonly route: T; readonly parameters: Parameters } | undefined {
  for (const route of routes) {
    const parameters = matchPath(route.path, path);
    if (parameters) return { route, parameters };
  }
  return undefined;
}

function parts(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
