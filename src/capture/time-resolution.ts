/** How an interface of a pcapng file counts time: 64-bit ticks since the epoch, so many of them a second. */

/** Without `if_tsresol`: microseconds. */
export const defaultResolution = 6;

/** Up to so many ticks a second, all intermediate results are whole doubles. */
const exactTicksMax = 2 ** 37;
/** Up to so many, a fraction times 10^9 is one. */
const exactProductMax = Math.floor(Number.MAX_SAFE_INTEGER / 1e9);

/** Ticks to seconds and nanoseconds. The result of `convert` is in the fields, so that none is allocated per frame. */
export class TimeResolution {
  seconds = 0;
  /** 0–999,999,999; what is finer is cut off. */
  nanoseconds = 0;
  /** Of 0, 1, 2, 3, 6, 9: as many as the ticks have, rounded down. */
  readonly digits: number;
  private readonly ticksPerSecond: number;
  /** Where the steps of a tick are whole nanoseconds; else 0. */
  private readonly nanosecondsPerTick: number;
  private readonly offsetSeconds: number;

  /**
   * @param code `if_tsresol`: a negative power of 10, or with bit 7 set of 2; its exponent is at most `exponentMax`
   * @param offsetSeconds `if_tsoffset`: to be added
   */
  constructor(code: number, offsetSeconds: number) {
    const ticks = code > 0x7f ? 2 ** (code & 0x7f) : 10 ** code;
    this.ticksPerSecond = ticks;
    this.nanosecondsPerTick = 1e9 % ticks === 0 ? 1e9 / ticks : 0;
    this.offsetSeconds = offsetSeconds;
    this.digits = digitSteps.find((digits) => ticks >= 10 ** digits)!;
  }

  /** Whether 64 bits can hold even one second of such ticks. */
  static isPossible(code: number): boolean {
    return code > 0x7f ? (code & 0x7f) <= 63 : code <= 19;
  }

  convert(high: number, low: number): void {
    const ticks = this.ticksPerSecond;
    if (ticks > exactTicksMax) {
      this.convertLong(high, low);
      return;
    }
    let seconds: number;
    let rest: number;
    if (high < 0x20_0000) {
      const all = high * 0x1_0000_0000 + low;
      seconds = Math.floor(all / ticks);
      rest = all - seconds * ticks;
    } else {
      // Long division, 16 bits at a time: each part is below 2^53.
      seconds = Math.floor(high / ticks);
      rest = high - seconds * ticks;
      let part = rest * 0x1_0000 + (low >>> 16);
      let quotient = Math.floor(part / ticks);
      rest = part - quotient * ticks;
      seconds = seconds * 0x1_0000 + quotient;
      part = rest * 0x1_0000 + (low & 0xffff);
      quotient = Math.floor(part / ticks);
      rest = part - quotient * ticks;
      seconds = seconds * 0x1_0000 + quotient;
    }
    this.seconds = seconds + this.offsetSeconds;
    if (this.nanosecondsPerTick !== 0) this.nanoseconds = rest * this.nanosecondsPerTick;
    else if (ticks <= exactProductMax) this.nanoseconds = Math.floor((rest * 1e9) / ticks);
    else this.nanoseconds = Number((BigInt(rest) * 1_000_000_000n) / BigInt(ticks));
  }

  private convertLong(high: number, low: number): void {
    const all = (BigInt(high) << 32n) | BigInt(low);
    const ticks = BigInt(this.ticksPerSecond);
    this.seconds = Number(all / ticks) + this.offsetSeconds;
    this.nanoseconds = Number(((all % ticks) * 1_000_000_000n) / ticks);
  }
}

const digitSteps = [9, 6, 3, 2, 1, 0] as const;
