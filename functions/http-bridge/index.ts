import { createBridgeHandler } from '../../shared/agent-bridge/bridge-handler.ts';
import { openHttpBridge } from './open-http-bridge.ts';

/** Tasks of `orchestrator.tasks.http`. */
export const handler = createBridgeHandler('http-bridge', openHttpBridge);
