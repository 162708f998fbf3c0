/** Work that is gathered while sockets are read and done once, when all that was ready has been read. */
export interface TurnTask {
  /** Kept by `Turn`; false at first. */
  isWaiting: boolean;
  endTurn(): void;
}

export class Turn {
  #tasks: TurnTask[] = [];
  #running: TurnTask[] = [];
  readonly #onError: (error: unknown) => void;
  readonly #run = (): void => {
    const tasks = this.#tasks;
    this.#tasks = this.#running;
    this.#running = tasks;
    try {
      for (const task of tasks) {
        task.isWaiting = false;
        task.endTurn();
      }
    } catch (error) {
      this.#onError(error);
    }
    tasks.length = 0;
  };

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Has `task.endTurn` called once at the end of this turn of the event loop, however often it is added. */
  add(task: TurnTask): void {
    if (task.isWaiting) return;
    task.isWaiting = true;
    if (this.#tasks.length === 0) setImmediate(this.#run);
    this.#tasks.push(task);
  }
}
