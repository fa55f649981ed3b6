/** Name of this life of this process: runners of another one are not ours. */
export const life: string = crypto.randomUUID().slice(0, 8)
