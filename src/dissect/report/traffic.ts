/** Counts of packets, one way and the other. `in` is to the broker. */
import { PacketType } from '../../protocol/packet-types.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import { isDuplicate, type PublishContent, qosOf, wireLength } from './packet-contents.ts';

export class Traffic {
  packetsIn = 0;
  packetsOut = 0;
  /** Bytes of packets, fixed headers included. */
  bytesIn = 0;
  bytesOut = 0;
  publishesIn = 0;
  publishesOut = 0;
  /** Bytes of payload of PUBLISHes. */
  payloadIn = 0;
  payloadOut = 0;
  /** PUBLISHes with DUP, either way. */
  duplicates = 0;

  add(packet: MqttPacket, publish: PublishContent | undefined): void {
    const length = wireLength(packet);
    if (packet.isByClient) {
      this.packetsIn++;
      this.bytesIn += length;
    } else {
      this.packetsOut++;
      this.bytesOut += length;
    }
    if (publish === undefined) return;
    if (isDuplicate(packet)) this.duplicates++;
    if (packet.isByClient) {
      this.publishesIn++;
      this.payloadIn += publish.payloadLength;
    } else {
      this.publishesOut++;
      this.payloadOut += publish.payloadLength;
    }
  }
}

/** PUBLISHes by QoS, one way and the other. */
export class QosCounts {
  readonly in = [0, 0, 0, 0];
  readonly out = [0, 0, 0, 0];

  add(packet: MqttPacket): void {
    if (packet.packetType !== PacketType.PUBLISH) return;
    const counts = packet.isByClient ? this.in : this.out;
    counts[qosOf(packet)]!++;
  }
}
