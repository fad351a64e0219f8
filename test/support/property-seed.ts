import fc from 'fast-check';

/** `SEED=…` tries others. */
fc.configureGlobal({ seed: Number(process.env.SEED ?? 20_260_101) });
