/*
 * leat: Go's concurrency patterns for C.  This header includes all the others.
 */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H

#include <leat/base.h>
#include <leat/time.h>
#include <leat/runtime.h>
#include <leat/task.h>
#include <leat/group.h>
#include <leat/chan.h>
#include <leat/select.h>
#include <leat/sync.h>
#include <leat/io.h>
#include <leat/blocking.h>
#include <leat/net.h>
#include <leat/fan.h>
#include <leat/file.h>
#include <leat/flight.h>
#include <leat/stats.h>
#include <leat/stream.h>
#include <leat/process.h>
#include <leat/signal.h>
#include <leat/sim.h>
#include <leat/dump.h>
#include <leat/ledger.h>
#include <leat/pipeline.h>
#include <leat/pool.h>
#include <leat/adaptive.h>
#include <leat/bucket.h>
#include <leat/breaker.h>
#include <leat/keyed.h>
#include <leat/retry.h>
#include <leat/timeout.h>
#include <leat/loop.h>

#endif
