/** Deliveries of a Session that are in the store and nowhere else: what must be known of them without reading them. */

/** What is counted of a delivery. */
export interface CountedDelivery {
  readonly position: number;
  readonly qos: number;
  /** 0 while it is queued. */
  readonly packetIdentifier: number;
}

export class RestingDeliveries {
  /** They have positions above this … */
  after: number;
  /** … and up to this. */
  last: number;
  /** How many are queued. */
  queued = 0;
  /** Payload bytes of those queued. */
  queuedBytes = 0;
  /** How many of those queued are QoS 0. */
  queuedQos0 = 0;
  /** How many are in flight: they have a Packet Identifier. */
  inflight = 0;
  /** Nothing queued expires before this, milliseconds since the epoch; 0 if nothing expires. */
  firstExpiry = 0;

  /** Counts nothing yet. @param position of the first */
  constructor(position: number) {
    this.after = position - 1;
    this.last = position - 1;
  }

  get count(): number {
    return this.queued + this.inflight;
  }

  /** One more. */
  add({ position, qos, packetIdentifier }: CountedDelivery, payloadLength: number, expiresAt: number): void {
    if (position > this.last) this.last = position;
    if (position <= this.after) this.after = position - 1;
    if (packetIdentifier !== 0) {
      this.inflight++;
      return;
    }
    this.queued++;
    this.queuedBytes += payloadLength;
    if (qos === 0) this.queuedQos0++;
    if (expiresAt !== 0 && (this.firstExpiry === 0 || expiresAt < this.firstExpiry)) this.firstExpiry = expiresAt;
  }

  /** One rests no more. */
  remove({ qos, packetIdentifier }: CountedDelivery, payloadLength: number): void {
    if (packetIdentifier !== 0) {
      this.inflight--;
      return;
    }
    this.queued--;
    this.queuedBytes -= payloadLength;
    if (qos === 0) this.queuedQos0--;
  }

  copy(): RestingDeliveries {
    const copy = new RestingDeliveries(this.after + 1);
    copy.last = this.last;
    copy.queued = this.queued;
    copy.queuedBytes = this.queuedBytes;
    copy.queuedQos0 = this.queuedQos0;
    copy.inflight = this.inflight;
    copy.firstExpiry = this.firstExpiry;
    return copy;
  }
}
