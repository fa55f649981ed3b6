// The far side of workerpool: registers the functions of work.mjs.
import workerpool from "workerpool"
import { functions } from "../../work/work.mjs"
workerpool.worker(functions)
