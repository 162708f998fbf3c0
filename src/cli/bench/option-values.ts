/** Values of options as people type them. */

/** @throws {RangeError} that says what was expected */
export function number(text: string, min: number, max: number): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new RangeError(`is '${text}'; expected ${min} to ${max}`);
}

/** @throws {RangeError} that says what was expected */
export function integer(text: string, min: number, max: number): number {
  const value = number(text, min, max);
  if (Number.isInteger(value)) return value;
  throw new RangeError(`is '${text}'; expected a whole number`);
}

/** Several with commas between them. @throws {RangeError} that says what was expected */
export function integers(text: string, min: number, max: number): number[] {
  const values = text.split(',').map((entry) => integer(entry.trim(), min, max));
  const repeated = values.find((value, index) => values.indexOf(value) !== index);
  if (repeated !== undefined) throw new RangeError(`has ${repeated} twice`);
  return values;
}
