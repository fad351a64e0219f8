/** Sizes and counts that bound what users and agents may send; design §4. One place, so that documents and errors quote the same number. */
export const limits = {
  /** JSON text of one step's input or output, of a run's input and of its variables, in UTF-8 bytes. */
  maxPayloadBytes: 256 * 1024,
  /** JSON text of a workflow definition, in UTF-8 bytes. */
  maxDefinitionBytes: 1024 * 1024,
  /** `max.message.bytes` of our topics. */
  maxRecordBytes: 2 * 1024 * 1024,
  /** Objects and arrays inside one another. */
  maxJsonDepth: 100,
  /** Object keys and array items in one payload, all levels together. */
  maxJsonEntries: 50_000,
  /** In all branches and maps together. */
  maxStepsPerDefinition: 5_000,
  /** Parallel and map steps inside one another. */
  maxNesting: 10,
  /** Where a step runs is part of an index: the ids and names around it, percent-encoded, in characters. */
  maxScopePathLength: 1_500,
  /** Steps that one run may start, loops included; those of map items count apart, each item for itself. */
  maxStepsPerRun: 25_000,
  /** Steps of a run that one invocation may enter, one after the other. */
  maxStepsPerInvocation: 100,
  /** Workflows that start one another. */
  maxRunDepth: 10,
  maxMapItems: 10_000,
  /** Step ids, workflow names, agent names, in characters. */
  maxNameLength: 128,
  /** Log lines an agent may send with an answer, and the length of each in characters. */
  maxLogLines: 100,
  maxLogLineLength: 2_000,
  /** Stored error messages are cut here, in characters. */
  maxErrorMessageLength: 4_000,
  /** Outputs and errors that a dry run may be given, over all steps. */
  maxMocks: 5_000,
  /** JSON text of all of them, in UTF-8 bytes. */
  maxMocksBytes: 2 * 1024 * 1024,
  /** Attempts of steps in one dry run. */
  maxDryRunSteps: 25_000,
  /** JSON text of what a dry run's steps get and give, in characters: it is all in memory. */
  maxDryRunDataLength: 64 * 1024 * 1024,
  /** JSON text of the example outputs of a workflow's agents together, in UTF-8 bytes. */
  maxDryRunExamplesBytes: 16 * 1024 * 1024,
  /** Far below the 29 seconds after which API Gateway answers by itself. */
  maxDryRunTimeMs: 5_000,
  /** A search in errors and logs, in milliseconds: words that half of all logs have would be looked at in half of all logs. */
  maxSearchMs: 3_000,
} as const;

export type Limits = { readonly [K in keyof typeof limits]: number };
