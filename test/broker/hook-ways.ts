/** The ways in which a hook may answer, and fail. */

/** A turn of the event loop. */
export const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One answer in each of the ways a hook may give it. */
export function ways<A extends unknown[], R>(answer: (...args: A) => R): [string, (...args: A) => R | Promise<R>][] {
  return [
    ['at once', answer],
    [
      'later',
      async (...args: A) => {
        await tick();
        return answer(...args);
      },
    ],
  ];
}

/** The two ways to fail, with the same message. */
export const failures: [string, () => never | Promise<never>][] = [
  [
    'throws',
    () => {
      throw new Error('the directory is down');
    },
  ],
  ['rejects', () => Promise.reject(new Error('the directory is down'))],
];

/** A promise and what settles it. */
export class Gate<T = void> {
  open!: (value: T) => void;
  fail!: (error: Error) => void;
  readonly promise: Promise<T>;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.open = resolve;
      this.fail = reject;
    });
  }
}
