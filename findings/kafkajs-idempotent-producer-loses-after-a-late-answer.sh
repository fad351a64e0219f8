#!/usr/bin/env bash
# Kafka's idempotent producer, where the answer to one request comes too late: the broker has kept record A, the client gives up on
# it, and then sends another record, B. What does the client say of B, and is B in the topic?
#
# The broker knows a repeat by producer, epoch, first and last sequence number, not by what is in it: it acknowledges a repeat with the
# offset of the first and keeps nothing. So a client must not give the numbers of a request that may have been carried out to
# other records. Apache Kafka 4.3.1, one broker; before it a TCP proxy that holds back the answers on a client's connections for a while,
# from the first one to a Produce request on. Clients wait 3 s. "Later": answers are held for 8 s, no repeats (kafkajs: one, it refuses to be
# idempotent without), and B is sent 6 s after A was given up. "Together": for 4 s, repeats as is the client's default, and B is sent 0.3 s
# after A.
#
# Guess, before it ran: kafkajs 2.2.4 takes the number back (its sendMessages.js does so for any error) and gives it to B. Later: B is
# acknowledged with the offset of A and is not in the topic; where B is two records and A was one, the last numbers differ and the broker
# refuses it as out of order. Together: B comes between A and the repeat of A, and is dropped in the place of the repeat, which gets the next
# number, so that A is there twice, and both are acknowledged. @platformatic/kafka, the Java client and librdkafka take a new producer id
# or epoch after a time-out and lose nothing; A is there twice at most.
#
# Seen: kafkajs as guessed, in all three: with its default of endless repeats, two sends and one late answer are enough to lose a record that
# was acknowledged. The Java client (of Kafka 4.3.1) and librdkafka (confluent-kafka 2.12.1) lose nothing, nor is A there twice.
# @platformatic/kafka 2.12.1 loses nothing either, but acknowledged A also where it was to fail, with `retries: 0`: what it does after
# a failure is not seen here. Exits with 1 when any of this changes.
set -euo pipefail
folder=$(mktemp -d)
processes=()
trap 'kill "${processes[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"

npm init -y >/dev/null
npm install --silent --no-audit --no-fund kafkajs@2.2.4 @platformatic/kafka@2.12.1 node@24.11.1 >/dev/null
node=node_modules/.bin/node
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check confluent-kafka==2.12.1 >/dev/null
cat >pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib >maven.log

cat >proxy.mjs <<'JS'
import { connect, createServer } from 'node:net';
import { writeFileSync } from 'node:fs';

const PRODUCE = 0;
/** By the name of the client. */
const heldUntil = new Map();

function eachFrame(socket, take) {
  let rest = Buffer.alloc(0);
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const length = 4 + rest.readInt32BE(0);
      take(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  });
}

let brokerPort;
const proxy = createServer((client) => {
  const broker = connect(brokerPort, '127.0.0.1');
  let name = '';
  let awaited;
  let held;
  eachFrame(client, (frame) => {
    name = frame.toString('utf8', 14, 14 + Math.max(0, frame.readInt16BE(12)));
    if (frame.readInt16BE(4) === PRODUCE && Date.now() < (heldUntil.get(name) ?? Infinity)) awaited ??= frame.readInt32BE(8);
    broker.write(frame);
  });
  eachFrame(broker, (frame) => {
    if (frame.readInt32BE(4) === awaited) {
      awaited = undefined;
      held ??= [];
      if (!heldUntil.has(name)) heldUntil.set(name, Date.now() + (name.includes('later') ? 8_000 : 4_000));
      setTimeout(() => {
        for (const late of held ?? []) client.write(late);
        held = undefined;
      }, heldUntil.get(name) - Date.now());
    }
    if (held) held.push(frame);
    else client.write(frame);
  });
  for (const [one, other] of [[client, broker], [broker, client]]) one.on('error', () => {}).on('close', () => other.destroy());
});
const portOf = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
const [first, second] = [createServer(), createServer()];
const [port, own, controller] = [await portOf(proxy), await portOf(first), await portOf(second)];
brokerPort = own;
await Promise.all([first, second].map((server) => new Promise((resolve) => server.close(resolve))));
writeFileSync('server.properties', `
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:${controller}
listeners=PLAINTEXT://127.0.0.1:${own},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=data
auto.create.topics.enable=false
log.index.size.max.bytes=1048576
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
`);
writeFileSync('port', String(port));
JS
$node proxy.mjs &
processes+=($!)
until [ -s port ]; do sleep 0.1; done
broker="127.0.0.1:$(cat port)"
kafka() { exec java -Xmx512m -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp 'lib/*' "$@" >>broker.log 2>&1; }
(kafka kafka.tools.StorageTool format --standalone --cluster-id=MkU3OEVBNTcwNTJENDM2Qk -c server.properties)
kafka kafka.Kafka server.properties &
processes+=($!)

cases='kafkajs-later kafkajs-later-two kafkajs-together platformatic-later platformatic-together java-later java-together librdkafka-later librdkafka-together'

# The topics; and at the end, what is in them.
cat >topics.mjs <<'JS'
import { Kafka, logLevel } from 'kafkajs';
const [broker, what, ...topics] = process.argv.slice(2);
const kafka = new Kafka({ clientId: 'topics', brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 60, maxRetryTime: 1_000 } });
const admin = kafka.admin();
await admin.connect();
if (what === 'make') {
  await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: 1, replicationFactor: 1 })) });
} else {
  const values = new Map(topics.map((topic) => [topic, []]));
  const ends = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
  let missing = ends.reduce((sum, [{ high }]) => sum + Number(high), 0);
  const consumer = kafka.consumer({ groupId: 'reader' });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await new Promise((resolve) =>
    consumer.run({
      eachMessage: async ({ topic, message }) => {
        values.get(topic).push(message.value.toString());
        missing -= 1;
        if (missing === 0) resolve();
      },
    }),
  );
  await consumer.disconnect();
  for (const [topic, inIt] of values) console.log(`${topic} ${inIt.join(' ')}`);
}
await admin.disconnect();
JS
$node topics.mjs "$broker" make $cases 2>topics.log

cat >send.mjs <<'JS'
import { setTimeout as sleep } from 'node:timers/promises';
const [broker, topic] = process.argv.slice(2);
const [client, when, two] = topic.split('-');
const clientId = topic;
let send;
let end;
if (client === 'kafkajs') {
  const { Kafka, logLevel } = await import('kafkajs');
  const kafka = new Kafka({ clientId, brokers: [broker], requestTimeout: 3_000, logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ idempotent: true, ...(when === 'later' && { retry: { retries: 1 } }) });
  await producer.connect();
  send = async (...values) => (await producer.send({ topic, messages: values.map((value) => ({ value })) }))[0].baseOffset;
  end = () => producer.disconnect();
} else {
  const { Producer, stringSerializers } = await import('@platformatic/kafka');
  const producer = new Producer({
    clientId,
    bootstrapBrokers: [broker],
    idempotent: true,
    requestTimeout: 3_000,
    serializers: stringSerializers,
    ...(when === 'later' && { retries: 0 }),
  });
  send = async (...values) => (await producer.send({ messages: values.map((value) => ({ topic, value })) })).offsets[0].offset;
  end = () => producer.close();
}
const tell = (sent) => sent.then((offset) => `acknowledged at ${offset}`, (error) => `fails (${error.type ?? error.code ?? error.name})`);
const a = tell(send('A'));
if (when === 'later') await a;
await sleep(when === 'later' ? 6_000 : 300);
const b = tell(two ? send('B1', 'B2') : send('B'));
console.log(`A ${await a}, B ${await b}`);
await end();
JS

cat >Send.java <<'JAVA'
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.StringSerializer;

class Send {
  static String tell(Future<RecordMetadata> sent) throws Exception {
    try {
      return "acknowledged at " + sent.get().offset();
    } catch (ExecutionException error) {
      return "fails (" + error.getCause().getClass().getSimpleName() + ")";
    }
  }

  public static void main(String[] args) throws Exception {
    String topic = args[1];
    boolean later = topic.endsWith("later");
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("client.id", topic);
    settings.put("enable.idempotence", "true");
    settings.put("linger.ms", "0");
    settings.put("request.timeout.ms", "3000");
    if (later) settings.put("delivery.timeout.ms", "3000");
    try (Producer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      producer.partitionsFor(topic);
      Future<RecordMetadata> a = producer.send(new ProducerRecord<>(topic, "A"));
      if (later) tell(a);
      Thread.sleep(later ? 6000 : 300);
      Future<RecordMetadata> b = producer.send(new ProducerRecord<>(topic, "B"));
      System.out.println("A " + tell(a) + ", B " + tell(b));
    }
  }
}
JAVA

cat >send.py <<'PY'
import sys, time
from confluent_kafka import Producer
broker, topic = sys.argv[1:]
later = topic.endswith("later")
settings = {"bootstrap.servers": broker, "client.id": topic, "enable.idempotence": True, "socket.timeout.ms": 3000, "log_level": 0}
if later:
    settings["message.timeout.ms"] = 3000
producer = Producer(settings)
answers = {}
def send(value):
    def tell(error, message):
        answers[value] = f"fails ({error.name()})" if error else f"acknowledged at {message.offset()}"
    producer.produce(topic, value, on_delivery=tell)
send("A")
if later:
    producer.flush()
until = time.monotonic() + (6 if later else 0.3)
while time.monotonic() < until:
    producer.poll(0.1)
send("B")
producer.flush()
print(f"A {answers['A']}, B {answers['B']}")
PY

run() {
  for case in $cases; do
    case $case in "$1"-*) echo "$case: $("${@:2}" "$broker" "$case" 2>>"$1.log")" >"$case.answers" ;; esac
  done
}
clients=()
run kafkajs $node send.mjs & clients+=($!)
run platformatic $node send.mjs & clients+=($!)
run java java -Dorg.slf4j.simpleLogger.defaultLogLevel=off -cp 'lib/*' Send.java & clients+=($!)
run librdkafka venv/bin/python send.py & clients+=($!)
wait "${clients[@]}"
$node topics.mjs "$broker" read $cases 2>topics.log >topics
seen=$(while read -r case values; do echo "$(cat "$case.answers"); in the topic: $values"; done <topics)
echo "$seen"

expected='kafkajs-later: A fails (KafkaJSNumberOfRetriesExceeded), B acknowledged at 0; in the topic: A
kafkajs-later-two: A fails (KafkaJSNumberOfRetriesExceeded), B fails (OUT_OF_ORDER_SEQUENCE_NUMBER); in the topic: A
kafkajs-together: A acknowledged at 1, B acknowledged at 0; in the topic: A A
platformatic-later: A acknowledged at 0, B acknowledged at 1; in the topic: A B
platformatic-together: A acknowledged at 0, B acknowledged at 1; in the topic: A B
java-later: A fails (TimeoutException), B acknowledged at 1; in the topic: A B
java-together: A acknowledged at 0, B acknowledged at 1; in the topic: A B
librdkafka-later: A fails (_MSG_TIMED_OUT), B acknowledged at 1; in the topic: A B
librdkafka-together: A acknowledged at 0, B acknowledged at 1; in the topic: A B'
if [ "$seen" != "$expected" ]; then
  echo 'Not as it was seen first' >&2
  exit 1
fi
