/** Tells when nobody has touched the page for a while. */

const SIGNS_OF_LIFE = ["pointerdown", "keydown", "wheel", "touchstart"] as const;

/**
 * Calls `away` once when none of the target's signs of life came for so long; the answer ends the watch. A device that
 * slept has timers that stood still: its clock is asked when it wakes.
 */
export function watchIdle(target: EventTarget, durationMs: number, away: () => void): () => void {
  let lastMs = Date.now();
  const look = setInterval(() => {
    if (Date.now() - lastMs < durationMs) return;
    end();
    away();
  }, Math.min(durationMs, 1_000));
  const seen = (): void => {
    // The first touch after a sleep comes before the timer's next turn: it must not wake what should be locked.
    if (Date.now() - lastMs < durationMs) lastMs = Date.now();
  };
  const end = (): void => {
    clearInterval(look);
    for (const sign of SIGNS_OF_LIFE) target.removeEventListener(sign, seen);
  };
  for (const sign of SIGNS_OF_LIFE) target.addEventListener(sign, seen, { passive: true });
  return end;
}
