import { createBridgeHandler } from '../../shared/agent-bridge/bridge-handler.ts';
import { openLambdaBridge } from './open-lambda-bridge.ts';

/** Tasks of `orchestrator.tasks.lambda`. */
export const handler = createBridgeHandler('lambda-bridge', openLambdaBridge);
