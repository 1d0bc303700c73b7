/*
 * The machinery of LEAT_TASK, leat_go and leat_fork.  Not for direct use.
 * C11 and C++17, no extensions: each macro is chosen by its argument count.
 */
#ifndef LEAT_DETAIL_MACROS_H
#define LEAT_DETAIL_MACROS_H

/*
 * A wrong type must not compile.  gcc before 14 and clang before 16 only warn
 * where an argument or a handle has another pointer type, or is a number; this
 * makes it the error that it is for later compilers (and for C++).
 */
#ifndef __cplusplus
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#pragma GCC diagnostic error "-Wint-conversion"
#endif

#define LEAT__CAT_(a, b) a##b
#define LEAT__CAT(a, b) LEAT__CAT_(a, b)

/* The number of arguments, 1 to 10. */
#define LEAT__COUNT(...) LEAT__COUNT_(__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define LEAT__COUNT_(a, b, c, d, e, f, g, h, i, j, n, ...) n

#ifdef __cplusplus
#define LEAT__STATIC_ASSERT(cond, text) static_assert(cond, text)
#define LEAT__ALIGNAS(n) alignas(n)
#else
#define LEAT__STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#define LEAT__ALIGNAS(n) _Alignas(n)
#endif

/* (type, name) pairs: as a parameter, as a struct member, as a use. */
#define LEAT__PARAM(pair) LEAT__PARAM_ pair
#define LEAT__PARAM_(type, name) type name
#define LEAT__MEMBER(pair) LEAT__MEMBER_ pair
#define LEAT__MEMBER_(type, name) type name;
#define LEAT__NAME(pair) LEAT__NAME_ pair
#define LEAT__NAME_(type, name) name
#define LEAT__USE(pair) LEAT__USE_ pair
#define LEAT__USE_(type, name) leat__a->name

#define LEAT__LIST1(f, a) f(a)
#define LEAT__LIST2(f, a, ...) f(a), LEAT__LIST1(f, __VA_ARGS__)
#define LEAT__LIST3(f, a, ...) f(a), LEAT__LIST2(f, __VA_ARGS__)
#define LEAT__LIST4(f, a, ...) f(a), LEAT__LIST3(f, __VA_ARGS__)
#define LEAT__LIST5(f, a, ...) f(a), LEAT__LIST4(f, __VA_ARGS__)
#define LEAT__LIST6(f, a, ...) f(a), LEAT__LIST5(f, __VA_ARGS__)
#define LEAT__LIST7(f, a, ...) f(a), LEAT__LIST6(f, __VA_ARGS__)
#define LEAT__LIST8(f, a, ...) f(a), LEAT__LIST7(f, __VA_ARGS__)
#define LEAT__LIST(f, ...) LEAT__CAT(LEAT__LIST, LEAT__COUNT(__VA_ARGS__))(f, __VA_ARGS__)

#define LEAT__EACH1(f, a) f(a)
#define LEAT__EACH2(f, a, ...) f(a) LEAT__EACH1(f, __VA_ARGS__)
#define LEAT__EACH3(f, a, ...) f(a) LEAT__EACH2(f, __VA_ARGS__)
#define LEAT__EACH4(f, a, ...) f(a) LEAT__EACH3(f, __VA_ARGS__)
#define LEAT__EACH5(f, a, ...) f(a) LEAT__EACH4(f, __VA_ARGS__)
#define LEAT__EACH6(f, a, ...) f(a) LEAT__EACH5(f, __VA_ARGS__)
#define LEAT__EACH7(f, a, ...) f(a) LEAT__EACH6(f, __VA_ARGS__)
#define LEAT__EACH8(f, a, ...) f(a) LEAT__EACH7(f, __VA_ARGS__)
#define LEAT__EACH(f, ...) LEAT__CAT(LEAT__EACH, LEAT__COUNT(__VA_ARGS__))(f, __VA_ARGS__)

#define LEAT__RUN_VOID(call) call; return 0
#define LEAT__RUN_INT(call) return call

/* A task without arguments (count 1: just the name), or with 1 to 8. */
#define LEAT__TASK(ret, run, ...) \
	LEAT__CAT(LEAT__TASK_, LEAT__COUNT(__VA_ARGS__))(ret, run, __VA_ARGS__)
#define LEAT__TASK_1(ret, run, name)                                          \
	static ret name(void);                                                \
	static int name##__run(__attribute__((unused)) void *leat__args)      \
	{                                                                     \
		run(name());                                                  \
	}                                                                     \
	static const leat_task_type name##__type = { #name, name##__run, 0 }; \
	__attribute__((unused)) static inline int name##__go(                 \
		leat_group *leat__group, const leat_task_options *leat__opts) \
	{                                                                     \
		return leat_spawn(leat__group, &name##__type, NULL, leat__opts); \
	}                                                                     \
	__attribute__((unused)) static inline void name##__fork(              \
		leat_forked *leat__f)                                         \
	{                                                                     \
		leat__fork_push(leat__f, &name##__type);                      \
	}                                                                     \
	static ret name(void)
#define LEAT__TASK_N(ret, run, name, ...)                                     \
	struct name##__args {                                                 \
		LEAT__EACH(LEAT__MEMBER, __VA_ARGS__)                         \
	};                                                                    \
	LEAT__STATIC_ASSERT(sizeof(struct name##__args) <= LEAT_ARGS_MAX,     \
			    "arguments of task " #name " exceed LEAT_ARGS_MAX; pass a pointer"); \
	static ret name(LEAT__LIST(LEAT__PARAM, __VA_ARGS__));                \
	static int name##__run(void *leat__args)                              \
	{                                                                     \
		struct name##__args *leat__a = (struct name##__args *)leat__args; \
		run(name(LEAT__LIST(LEAT__USE, __VA_ARGS__)));                \
	}                                                                     \
	static const leat_task_type name##__type = {                          \
		#name, name##__run, sizeof(struct name##__args)               \
	};                                                                    \
	__attribute__((unused)) static inline int name##__go(                 \
		leat_group *leat__group, const leat_task_options *leat__opts, \
		LEAT__LIST(LEAT__PARAM, __VA_ARGS__))                         \
	{                                                                     \
		struct name##__args leat__a = { LEAT__LIST(LEAT__NAME, __VA_ARGS__) }; \
		return leat_spawn(leat__group, &name##__type, &leat__a, leat__opts); \
	}                                                                     \
	__attribute__((unused)) static inline void name##__fork(              \
		leat_forked *leat__f, LEAT__LIST(LEAT__PARAM, __VA_ARGS__))   \
	{                                                                     \
		struct name##__args leat__a = { LEAT__LIST(LEAT__NAME, __VA_ARGS__) }; \
		*(struct name##__args *)leat__fork_args(leat__f) = leat__a;   \
		leat__fork_push(leat__f, &name##__type);                      \
	}                                                                     \
	static ret name(LEAT__LIST(LEAT__PARAM, __VA_ARGS__))
#define LEAT__TASK_2(...) LEAT__TASK_N(__VA_ARGS__)
#define LEAT__TASK_3(...) LEAT__TASK_N(__VA_ARGS__)
#define LEAT__TASK_4(...) LEAT__TASK_N(__VA_ARGS__)
#define LEAT__TASK_5(...) LEAT__TASK_N(__VA_ARGS__)
#define LEAT__TASK_6(...) LEAT__TASK_N(__VA_ARGS__)
#define LEAT__TASK_7(...) LEAT__TASK_N(__VA_ARGS__)
#define LEAT__TASK_8(...) LEAT__TASK_N(__VA_ARGS__)
#define LEAT__TASK_9(...) LEAT__TASK_N(__VA_ARGS__)

#define LEAT__GO(group, opts, ...) \
	LEAT__CAT(LEAT__GO_, LEAT__COUNT(__VA_ARGS__))(group, opts, __VA_ARGS__)
#define LEAT__GO_1(group, opts, name) name##__go(group, opts)
#define LEAT__GO_N(group, opts, name, ...) name##__go(group, opts, __VA_ARGS__)
#define LEAT__GO_2(...) LEAT__GO_N(__VA_ARGS__)
#define LEAT__GO_3(...) LEAT__GO_N(__VA_ARGS__)
#define LEAT__GO_4(...) LEAT__GO_N(__VA_ARGS__)
#define LEAT__GO_5(...) LEAT__GO_N(__VA_ARGS__)
#define LEAT__GO_6(...) LEAT__GO_N(__VA_ARGS__)
#define LEAT__GO_7(...) LEAT__GO_N(__VA_ARGS__)
#define LEAT__GO_8(...) LEAT__GO_N(__VA_ARGS__)
#define LEAT__GO_9(...) LEAT__GO_N(__VA_ARGS__)

#define LEAT__FORK(forked, ...) \
	LEAT__CAT(LEAT__FORK_, LEAT__COUNT(__VA_ARGS__))(forked, __VA_ARGS__)
#define LEAT__FORK_1(forked, name) name##__fork(forked)
#define LEAT__FORK_N(forked, name, ...) name##__fork(forked, __VA_ARGS__)
#define LEAT__FORK_2(...) LEAT__FORK_N(__VA_ARGS__)
#define LEAT__FORK_3(...) LEAT__FORK_N(__VA_ARGS__)
#define LEAT__FORK_4(...) LEAT__FORK_N(__VA_ARGS__)
#define LEAT__FORK_5(...) LEAT__FORK_N(__VA_ARGS__)
#define LEAT__FORK_6(...) LEAT__FORK_N(__VA_ARGS__)
#define LEAT__FORK_7(...) LEAT__FORK_N(__VA_ARGS__)
#define LEAT__FORK_8(...) LEAT__FORK_N(__VA_ARGS__)
#define LEAT__FORK_9(...) LEAT__FORK_N(__VA_ARGS__)

#endif
