/*
 * --isolate: a job in a PID namespace of its own (pid_namespaces(7)), so that whatever it starts
 * ends with it, also what has left its process group and session.
 */
#ifndef TOOL_ISOLATE_H
#define TOOL_ISOLATE_H

/* Whether this user may: 0 or an error of the kernel.  Before any thread is started. */
int isolate_check(void);

/*
 * The command "isolate", which leat gives itself: argv[1] on is the job's.  It ends as the
 * job does.
 */
int isolate_main(int argc, char **argv);

#endif
