/** Identity of this process among its earlier and later starts. */

/** Eight random hexadecimal characters, chosen once per process. Runners and pods that carry another life are not ours. */
export const life: string = crypto.randomUUID().slice(0, 8)
