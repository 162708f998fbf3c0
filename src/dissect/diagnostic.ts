/** What is wrong, or worth knowing, about a part of a frame: Wireshark's expert information. */

export interface Diagnostic {
  /** `comment`: somebody wrote it into the file; `chat`: usual course of things; `note`: worth a look; `warning`: unusual; `error`: against the protocol, or not readable. */
  readonly severity: 'comment' | 'chat' | 'note' | 'warning' | 'error';
  /** Wireshark's groups, as its filters and trees name them. */
  readonly group:
    | 'Sequence'
    | 'Protocol'
    | 'Malformed'
    | 'Undecoded'
    | 'Reassemble'
    | 'Response Code'
    | 'Assumption'
    | 'Comment';
  readonly message: string;
  /** The statement that it is against: `MQTT-3.3.1-4`. */
  readonly rule: string | undefined;
}
