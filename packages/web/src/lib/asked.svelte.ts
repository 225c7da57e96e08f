/** An answer of the gateway as state of a component. */

/**
 * Asks when the component comes, whenever something that the question reads changes, and every so many milliseconds. The
 * last answer stays until the next one; questions that are overtaken are called off. To be made while a component is.
 */
export class Asked<T> {
  value = $state.raw<T>();
  error = $state.raw<unknown>();
  private round = $state(0);

  constructor(question: (signal: AbortSignal) => Promise<T> | undefined, everyMs?: number) {
    $effect(() => {
      void this.round;
      const ended = new AbortController();
      void this.ask(question(ended.signal), ended.signal);
      const timer = everyMs ? setInterval(() => document.hidden || this.again(), everyMs) : undefined;
      return () => {
        ended.abort();
        clearInterval(timer);
      };
    });
  }

  again(): void {
    this.round += 1;
  }

  private async ask(answer: Promise<T> | undefined, signal: AbortSignal): Promise<void> {
    if (!answer) return;
    try {
      const value = await answer;
      if (signal.aborted) return;
      this.value = value;
      this.error = undefined;
    } catch (error) {
      if (!signal.aborted) this.error = error;
    }
  }
}
