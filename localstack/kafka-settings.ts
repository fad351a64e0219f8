/** Sizes are bytes. Above our topics' `max.message.bytes` by what a batch adds to its records. */
const largestMessage = 2 * 1024 * 1024 + 64 * 1024;

export interface BrokerPlace {
  logDir: string;
  port: number;
  controllerPort: number;
}

/** One node that is broker and controller; small, quick to start and quick to be back after a kill. */
export function brokerProperties({ logDir, port, controllerPort }: BrokerPlace): string {
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logDir,

    // A topic is made on purpose, with its own number of partitions, or a misspelt name would pass unnoticed.
    'auto.create.topics.enable': false,
    'message.max.bytes': largestMessage,
    'replica.fetch.max.bytes': largestMessage,
    'log.index.size.max.bytes': 1024 * 1024,

    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,

    // With the default 9 s session a broker that was killed is kept out for 17 s after its return, with this for 6 s.
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 500,
    // Else an idle controller writes, and syncs, a record of nothing twice a second.
    'metadata.max.idle.interval.ms': 0,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    'group.coordinator.append.linger.ms': 0,

    'num.network.threads': 2,
    'num.io.threads': 4,
    'background.threads': 2,
    'log.cleaner.dedupe.buffer.size': 4 * 1024 * 1024,
  };
  return `${Object.entries(properties)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}
