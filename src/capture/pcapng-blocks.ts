/** Numbers of pcapng (draft-ietf-opsawg-pcapng) that reader and writer share. */

/** Reads the same in both byte orders. */
export const sectionHeaderType = 0x0a0d0d0a;
export const byteOrderMagic = 0x1a2b3c4d;

export const blockTypes = {
  interfaceDescription: 1,
  /** Obsolete. */
  packet: 2,
  simplePacket: 3,
  nameResolution: 4,
  interfaceStatistics: 5,
  enhancedPacket: 6,
  systemdJournal: 9,
  decryptionSecrets: 10,
  customCopied: 0x0000_0bad,
  customNotCopied: 0x4000_0bad,
} as const;

export const optionCodes = {
  end: 0,
  comment: 1,
  sectionHardware: 2,
  sectionOperatingSystem: 3,
  sectionApplication: 4,
  interfaceName: 2,
  interfaceDescription: 3,
  interfaceTimeResolution: 9,
  interfaceFilter: 11,
  interfaceOperatingSystem: 12,
  interfaceCheckSequenceLength: 13,
  interfaceTimeOffset: 14,
  interfaceHardware: 15,
  packetFlags: 2,
  statisticsStart: 2,
  statisticsEnd: 3,
  statisticsReceived: 4,
  statisticsDropped: 5,
} as const;

export const nameRecordTypes = { end: 0, ipv4: 1, ipv6: 2 } as const;

/** Secrets as a text in the format of `SSLKEYLOGFILE`. */
export const tlsKeyLogSecrets = 0x544c_534b;

/** A section of a pcapng file: from one Section Header Block to the next. */
export interface CaptureSection {
  readonly comments: readonly string[] | undefined;
  readonly hardware: string | undefined;
  readonly operatingSystem: string | undefined;
  readonly application: string | undefined;
}

/** What a Decryption Secrets Block holds. */
export interface CaptureSecrets {
  /** `tlsKeyLogSecrets` as a rule. */
  readonly type: number;
  /** In a copy of their own. */
  readonly bytes: Uint8Array;
}

/** An entry of a Name Resolution Block. */
export interface ResolvedName {
  /** 4 or 16 bytes, in a copy of their own. */
  readonly address: Uint8Array;
  readonly names: readonly string[];
}
