/** An answer that a topic of the stream keeps up to date, as state of a component. */

import { Asked } from "./asked.svelte";
import { live } from "./live.svelte";

/** What topics of an interval tell: it says of which block it is. */
interface OfBlock {
  readonly height: number;
  readonly interval: number;
}

/**
 * Asks when the component comes and when what the question reads changes, and hears the topic as long as there is one.
 * The newer of both counts. To be made while a component is.
 */
export class Followed<T extends OfBlock> {
  private readonly asked: Asked<T>;
  private heard = $state.raw<T>();

  constructor(question: (signal: AbortSignal) => Promise<T> | undefined, topic: () => string | undefined) {
    this.asked = new Asked(question);
    $effect(() => {
      const name = topic();
      if (name === undefined) return;
      return live.follow(name, (message) => (this.heard = message.event as unknown as T));
    });
  }

  get value(): T | undefined {
    const [asked, heard] = [this.asked.value, this.heard];
    if (asked === undefined || heard === undefined || heard.interval !== asked.interval) return asked;
    return heard.height >= asked.height ? heard : asked;
  }

  get error(): unknown {
    return this.asked.error;
  }

  again(): void {
    this.asked.again();
  }
}
