"""Runs paho-mqtt 1.6 against a broker, scenario by scenario, and prints one line for each: `ok NAME` or `failed NAME: why`.

usage: paho_scenarios.py PORT tcp|websockets 31|311|5
"""

import queue
import sys
import traceback
import uuid

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

PORT = int(sys.argv[1])
TRANSPORT = sys.argv[2]
VERSION = {"31": mqtt.MQTTv31, "311": mqtt.MQTTv311, "5": mqtt.MQTTv5}[sys.argv[3]]
PATIENCE = 30


def unique(prefix):
    return prefix + uuid.uuid4().hex[:12]


class Peer:
    """A client with its network thread; what happens to it goes into queues."""

    def __init__(self, client_id=None, clean=True, will=None, properties=None, keepalive=60, expiry=None):
        self.messages = queue.Queue()
        self.connections = queue.Queue()
        self.disconnections = queue.Queue()
        self.acknowledged = queue.Queue()
        self.subscribed = queue.Queue()
        self.unsubscribed = queue.Queue()
        client_id = client_id or unique("paho")
        if VERSION == mqtt.MQTTv5:
            self.client = mqtt.Client(client_id, protocol=VERSION, transport=TRANSPORT)
        else:
            self.client = mqtt.Client(client_id, clean_session=clean, protocol=VERSION, transport=TRANSPORT)
        # A client that is thrown out is to stay out.
        self.client.reconnect_delay_set(600, 600)
        self.client.on_connect = self.on_connect
        self.client.on_disconnect = lambda *arguments: self.disconnections.put(arguments[2:])
        self.client.on_message = lambda client, userdata, message: self.messages.put(message)
        self.client.on_publish = lambda client, userdata, mid: self.acknowledged.put(mid)
        self.client.on_subscribe = lambda client, userdata, mid, granted, *rest: self.subscribed.put(
            (mid, [code if isinstance(code, int) else code.value for code in granted])
        )
        self.client.on_unsubscribe = lambda client, userdata, mid, *rest: self.unsubscribed.put((mid, rest))
        if will:
            self.client.will_set(*will[:4], properties=will[4] if len(will) > 4 else None)
        self.keepalive = keepalive
        arguments = {}
        if VERSION == mqtt.MQTTv5:
            properties = properties or Properties(PacketTypes.CONNECT)
            if expiry is not None:
                properties.SessionExpiryInterval = expiry
            arguments = {"clean_start": clean, "properties": properties}
        self.client.connect("127.0.0.1", PORT, keepalive, **arguments)
        self.client.loop_start()
        self.session_present, self.code, self.properties = self.connections.get(timeout=PATIENCE)
        assert self.code == 0, "refused: %s" % self.code

    def on_connect(self, client, userdata, flags, code, properties=None):
        self.connections.put((flags["session present"], code if isinstance(code, int) else code.value, properties))

    def subscribe(self, *arguments, **named):
        result, mid = self.client.subscribe(*arguments, **named)
        assert result == mqtt.MQTT_ERR_SUCCESS
        answered, granted = self.subscribed.get(timeout=PATIENCE)
        assert answered == mid
        return granted

    def publish(self, *arguments, **named):
        information = self.client.publish(*arguments, **named)
        information.wait_for_publish()
        return information

    def receive(self):
        return self.messages.get(timeout=PATIENCE)

    def nothing(self):
        """Everything that was sent to this client before has come when its own message comes back."""
        marker = unique("marker/")
        self.subscribe(marker)
        self.publish(marker, "x")
        first = self.receive()
        assert first.topic == marker, "got %s %r" % (first.topic, first.payload)

    def end(self):
        self.client.disconnect()
        self.disconnections.get(timeout=PATIENCE)
        self.client.loop_stop()

    def crash(self):
        self.client.loop_stop()
        self.client._sock_close()


def scenario_qos():
    topic = unique("qos/")
    subscriber, publisher = Peer(), Peer()
    for granted in (0, 1, 2):
        assert subscriber.subscribe("%s/%d" % (topic, granted), granted) == [granted]
        for published in (0, 1, 2):
            payload = "%d %d" % (published, granted)
            publisher.publish("%s/%d" % (topic, granted), payload, published)
            message = subscriber.receive()
            assert (message.payload.decode(), message.qos, message.retain) == (payload, min(granted, published), 0)
    publisher.end()
    subscriber.end()


def scenario_burst():
    topic = unique("burst/")
    subscriber, publisher = Peer(), Peer()
    for qos in (0, 1, 2):
        subscriber.subscribe("%s/%d" % (topic, qos), qos)
        sent = [publisher.client.publish("%s/%d" % (topic, qos), str(number), qos) for number in range(200)]
        for information in sent:
            information.wait_for_publish()
        received = [int(subscriber.receive().payload) for _ in sent]
        assert received == list(range(200)), received
    publisher.end()
    subscriber.end()


def scenario_wildcards():
    root = unique("wild/")
    peer = Peer()
    peer.subscribe([(root + "/+/temperature", 0), (root + "/a/#", 1)])
    for topic in ("/a/temperature", "/b/temperature", "/a/x/y", "/a", "/b/humidity"):
        peer.publish(root + topic, topic, 1)
    topics = set()
    while len(topics) < 4:
        topics.add(peer.receive().payload.decode())
    assert topics == {"/a/temperature", "/b/temperature", "/a/x/y", "/a"}, topics
    peer.end()


def scenario_unsubscribe():
    topic = unique("unsub/")
    peer = Peer()
    peer.subscribe(topic)
    result, mid = peer.client.unsubscribe(topic)
    answered, rest = peer.unsubscribed.get(timeout=PATIENCE)
    assert answered == mid
    peer.publish(topic, "x")
    peer.nothing()
    peer.end()


def scenario_will():
    topic = unique("will/")
    heir = Peer()
    heir.subscribe(topic, 2)
    Peer(will=(topic, "polite", 1, False)).end()
    Peer(will=(topic, "last words", 1, False)).crash()
    message = heir.receive()
    assert (message.payload, message.qos) == (b"last words", 1), message.payload
    heir.end()


def scenario_retain():
    topic = unique("retain/")
    publisher = Peer()
    publisher.publish(topic, "20°".encode(), 1, True)
    reader = Peer()
    reader.subscribe(topic, 1)
    message = reader.receive()
    assert (message.payload.decode(), message.retain, message.qos) == ("20°", 1, 1)
    publisher.publish(topic, b"", 1, True)
    message = reader.receive()
    assert (message.payload, message.retain) == (b"", 0)
    late = Peer()
    late.subscribe(topic)
    late.nothing()
    for peer in (publisher, reader, late):
        peer.end()


def scenario_session():
    topic = unique("session/")
    client_id = unique("keeper")
    first = Peer(client_id, clean=False, expiry=600)
    assert not first.session_present
    first.subscribe(topic, 1)
    first.end()
    publisher = Peer()
    publisher.publish(topic, "lost", 0)
    publisher.publish(topic, "kept 1", 1)
    publisher.publish(topic, "kept 2", 2)
    second = Peer(client_id, clean=False, expiry=600)
    # MQTT 3.1 has no place for it in the CONNACK.
    assert second.session_present or VERSION == mqtt.MQTTv31
    assert [second.receive().payload for _ in range(2)] == [b"kept 1", b"kept 2"]
    second.end()
    third = Peer(client_id, clean=True)
    assert not third.session_present
    publisher.publish(topic, "nobody", 1)
    third.nothing()
    third.end()
    publisher.end()


def scenario_takeover():
    client_id = unique("twin")
    first = Peer(client_id)
    second = Peer(client_id)
    first.disconnections.get(timeout=PATIENCE)
    first.client.loop_stop()
    second.nothing()
    second.end()


def scenario_payloads():
    topic = unique("payload/")
    peer = Peer()
    peer.subscribe(topic, 1)
    for size in (0, 1, 127, 128, 16384, 1000000):
        payload = bytes(index % 251 for index in range(size))
        peer.publish(topic, payload, 1)
        assert peer.receive().payload == payload, size
    peer.end()


def scenario_keepalive():
    peer = Peer(keepalive=1)
    try:
        peer.disconnections.get(timeout=3)
        raise AssertionError("disconnected in spite of its pings")
    except queue.Empty:
        peer.nothing()
    peer.end()


def scenario_v5_properties():
    topic = unique("properties/")
    peer = Peer()
    peer.subscribe(topic, 2)
    properties = Properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 100
    properties.ContentType = "text/plain"
    properties.ResponseTopic = "answers/here"
    properties.CorrelationData = b"\x00\xff"
    properties.UserProperty = [("b", "1"), ("a", "2"), ("b", "3")]
    peer.publish(topic, "x", 2, properties=properties)
    got = peer.receive().properties
    assert got.PayloadFormatIndicator == 1
    assert 90 < got.MessageExpiryInterval <= 100
    assert got.ContentType == "text/plain"
    assert got.ResponseTopic == "answers/here"
    assert got.CorrelationData == b"\x00\xff"
    assert got.UserProperty == [("b", "1"), ("a", "2"), ("b", "3")]
    peer.end()


def scenario_v5_subscribe_options():
    topic = unique("options/")
    peer = Peer()
    peer.publish(topic, "kept", 1, True)
    identifier = Properties(PacketTypes.SUBSCRIBE)
    identifier.SubscriptionIdentifier = 4711
    peer.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True, retainHandling=2), properties=identifier)
    peer.publish(topic, "own", 1)
    other = Peer()
    other.publish(topic, "theirs", 1, True)
    message = peer.receive()
    assert (message.payload, message.retain, message.properties.SubscriptionIdentifier) == (b"theirs", 0, [4711])
    peer.subscribe(topic, options=SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=0))
    assert peer.receive().retain == 1
    other.publish(topic, "again", 1, True)
    assert peer.receive().retain == 1
    peer.end()
    other.end()


def scenario_v5_shared():
    topic = unique("shared/")
    members = [Peer(), Peer()]
    for member in members:
        member.subscribe("$share/crew/" + topic, 1)
    publisher = Peer()
    for number in range(20):
        publisher.publish(topic, str(number), 1)
    received = []
    for member in members:
        marker = unique("marker/")
        member.subscribe(marker)
        member.publish(marker, "x")
        message = member.receive()
        while message.topic != marker:
            received.append(int(message.payload))
            message = member.receive()
    assert sorted(received) == list(range(20)), received
    for peer in members + [publisher]:
        peer.end()


def scenario_v5_connack():
    properties = Properties(PacketTypes.CONNECT)
    properties.TopicAliasMaximum = 5
    properties.ReceiveMaximum = 3
    properties.MaximumPacketSize = 1000
    peer = Peer(properties=properties)
    assert peer.properties.TopicAliasMaximum > 0
    topic = unique("limits/")
    peer.subscribe(topic, 2)
    peer.publish(topic, "x" * 2000, 1)
    for number in range(10):
        peer.publish(topic, str(number), 2)
    assert [peer.receive().payload.decode() for _ in range(10)] == [str(number) for number in range(10)]
    peer.end()


def scenario_v5_will_properties():
    topic = unique("will5/")
    heir = Peer()
    heir.subscribe(topic)
    properties = Properties(PacketTypes.WILLMESSAGE)
    properties.ContentType = "text/plain"
    properties.UserProperty = ("who", "me")
    properties.WillDelayInterval = 1
    Peer(will=(topic, "late words", 0, False, properties), expiry=60).crash()
    message = heir.receive()
    assert message.payload == b"late words"
    assert (message.properties.ContentType, message.properties.UserProperty) == ("text/plain", [("who", "me")])
    heir.end()


def scenario_v5_topic_alias():
    topic = unique("alias/")
    peer = Peer()
    peer.subscribe(topic)
    properties = Properties(PacketTypes.PUBLISH)
    properties.TopicAlias = 1
    peer.publish(topic, "named", 0, properties=properties)
    assert peer.receive().payload == b"named"
    peer.end()


failures = 0
for name, run in sorted(globals().items()):
    if not name.startswith("scenario_") or (name.startswith("scenario_v5") and VERSION != mqtt.MQTTv5):
        continue
    try:
        run()
        print("ok", name[9:])
    except Exception as error:  # every scenario is to be told about, whatever went wrong in it
        failures += 1
        where = traceback.extract_tb(sys.exc_info()[2])[-1]
        print("failed %s: %s %s (line %d)" % (name[9:], type(error).__name__, error, where.lineno))
    sys.stdout.flush()
sys.exit(1 if failures else 0)
