/** A whole number for each of many keys that lie close together, as sequence numbers do: four bytes each, where a Map takes dozens. */

const pageSize = 4096;

export class SparseNumbers {
  readonly #pages = new Map<number, Uint32Array>();

  /** 0 if none was set. */
  get(key: number): number {
    return this.#pages.get(Math.floor(key / pageSize))?.[key % pageSize] ?? 0;
  }

  /** @param value 0 to 2^32 - 1 */
  set(key: number, value: number): void {
    const page = Math.floor(key / pageSize);
    let values = this.#pages.get(page);
    if (values === undefined) {
      if (value === 0) return;
      values = new Uint32Array(pageSize);
      this.#pages.set(page, values);
    }
    values[key % pageSize] = value;
  }

  add(key: number, value: number): void {
    this.set(key, this.get(key) + value);
  }
}
