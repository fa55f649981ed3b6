import workerpool from "workerpool"
import { functions } from "../../work/work.mjs"
workerpool.worker(functions)
