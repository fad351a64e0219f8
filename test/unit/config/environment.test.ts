import { describe, expect, it } from 'vitest';
import { EnvironmentError, readEnvironment } from '../../../shared/config/environment.ts';

const required = {
  DATABASE_URL: 'postgres://localhost/x',
  KAFKA_BROKERS: 'localhost:9092',
  STEPLINE_SECRET_KEY: Buffer.alloc(32).toString('base64'),
};

describe("a run's limits", () => {
  it('have defaults', () => {
    expect(readEnvironment(required).runLimits).toEqual({
      maxStepsPerRun: 25_000,
      maxRunDepth: 10,
      maxMapItems: 10_000,
      runTimeoutMs: null,
    });
    expect(readEnvironment({ ...required, RUN_TIMEOUT_SECONDS: '' }).runLimits.runTimeoutMs).toBeNull();
  });

  it('are what the deployment sets', () => {
    const set = {
      MAX_STEPS_PER_RUN: '100',
      MAX_RUN_DEPTH: '2',
      MAX_MAP_ITEMS: '50',
      RUN_TIMEOUT_SECONDS: '3600',
    };
    expect(readEnvironment({ ...required, ...set }).runLimits).toEqual({
      maxStepsPerRun: 100,
      maxRunDepth: 2,
      maxMapItems: 50,
      runTimeoutMs: 3_600_000,
    });
  });

  it.each([
    ['MAX_STEPS_PER_RUN', '0', 'from 1 to 1000000'],
    ['MAX_STEPS_PER_RUN', '1000001', 'from 1 to 1000000'],
    ['MAX_RUN_DEPTH', '-1', 'from 1 to 100'],
    ['MAX_MAP_ITEMS', '1e3', 'from 1 to 100000'],
    ['RUN_TIMEOUT_SECONDS', '1.5', 'from 1 to 31536000'],
    ['RUN_TIMEOUT_SECONDS', '99999999999999999999', 'from 1 to 31536000'],
  ])('%s=%s is refused', (name, value, range) => {
    const read = () => readEnvironment({ ...required, [name]: value });
    expect(read).toThrow(EnvironmentError);
    expect(read).toThrow(`${name}: expected a whole number ${range}`);
  });
});

describe('what one invocation carries out', () => {
  const carryOut = (set: Record<string, string> = {}) => readEnvironment({ ...required, ...set }).carryOut;

  it('has defaults', () => {
    expect(carryOut()).toEqual({ patienceMs: 500, stepsPerInvocation: 1, maxStepsPerInvocation: 10 });
  });

  it('is what the deployment sets, whose maximum is no less than its own steps', () => {
    const set = { QUICK_CALL_PATIENCE_MS: '0', STEPS_PER_INVOCATION: '20' };
    expect(carryOut(set)).toEqual({ patienceMs: 0, stepsPerInvocation: 20, maxStepsPerInvocation: 20 });
    expect(carryOut({ ...set, MAX_STEPS_PER_INVOCATION: '50' }).maxStepsPerInvocation).toBe(50);
  });

  it.each([
    // A row of the outbox that is older than a few seconds is the timekeeper's.
    ['QUICK_CALL_PATIENCE_MS', '2001', 'from 0 to 2000'],
    ['STEPS_PER_INVOCATION', '0', 'from 1 to 100'],
    ['MAX_STEPS_PER_INVOCATION', '101', 'from 1 to 100'],
  ])('%s=%s is refused', (name, value, range) => {
    expect(() => carryOut({ [name]: value })).toThrow(`${name}: expected a whole number ${range}`);
  });
});
