/** What a run tells while it goes on, and how it is ended early. */
export interface Progress {
  /** `connecting`, `warm-up`, `measuring` … */
  readonly phase: string;
  /** How much of it is done, 0 to 1; undefined if nobody knows. */
  readonly share: number | undefined;
  /** What has been reached: `1,234,567 deliveries`. */
  readonly text: string;
}

export interface RunControl {
  /** Ends the run early: what was measured until then is the result, marked as partial. */
  readonly signal?: AbortSignal | undefined;
  /** Called some ten times a second. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Waits, but not beyond the end of the run. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end);
  });
}

/** `1,234,567`. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
