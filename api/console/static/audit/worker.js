// @ts-check
/** The module worker of the console. */

import { answerRequests } from "./worker_side.js";

answerRequests();
