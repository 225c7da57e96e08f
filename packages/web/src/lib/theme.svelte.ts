/** Light, dark, or as the system has it; remembered. Free of the market: the report uses it too. */

export type Theme = "light" | "dark";
export type ThemeChoice = Theme | "system";

const KEY = "gridtokenx.theme";
const CHOICES: readonly ThemeChoice[] = ["system", "light", "dark"];

class ThemeState {
  choice = $state<ThemeChoice>(readChoice());
  private systemIsDark = $state(systemDark()?.matches ?? false);

  constructor() {
    systemDark()?.addEventListener("change", (event) => (this.systemIsDark = event.matches));
  }

  /** What is shown now. Charts read it to draw again in the colours of the theme. */
  get shown(): Theme {
    if (this.choice !== "system") return this.choice;
    return this.systemIsDark ? "dark" : "light";
  }

  choose(choice: ThemeChoice): void {
    if (choice === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = choice;
    this.choice = choice;
    remember(KEY, choice === "system" ? null : choice);
  }

  next(): ThemeChoice {
    return CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length]!;
  }
}

export const theme = new ThemeState();

/** Keep a choice in this browser, as far as it lets us. */
export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Storage is forbidden here: the choice holds until the page is closed.
  }
}

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function readChoice(): ThemeChoice {
  const stored = recall(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

function systemDark(): MediaQueryList | undefined {
  return typeof matchMedia === "function" ? matchMedia("(prefers-color-scheme: dark)") : undefined;
}
