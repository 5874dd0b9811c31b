/* Preparing cycles: what a point's phase asks to be said and heard becomes bytes and actions. */
#include <string.h>

#include "soak/maker.h"

/* Options that no server knows, in a range that is not reserved for experiments: an export's name likewise. */
#define UNKNOWN_OPTION UINT32_C(0x7fffffff)
#define STRANGE_NAME "nbdconform: there is no such export"

/* Longer than the header of a TLS record, and than one of SSL 2. */
#define NO_HELLO "this is no TLS, but there is enough of it to see that"

/* Requests in flight. Their data would fill a small buffer, so that some have to wait. */
#define SEVERAL 4u
#define REQUEST_BYTES (64u * 1024)
/* More than a server's buffers take when we do not read. */
#define LONG_BYTES (4u * 1024 * 1024)

/* ---- Steps ------------------------------------------------------------------------------------ */

static void act(Maker *maker, SoakAction *action, SoakHear hear)
{
    action->size = maker->said;
    action->offset = maker->cycle->bytes->len - maker->said;
    action->hear = hear;
    maker->said = 0;
}

/* Ends an action: what was said is sent in one piece. */
static SoakAction *hear(Maker *maker, SoakHear what)
{
    g_assert(maker->cycle->count < SOAK_MAX_ACTIONS);
    SoakAction *action = &maker->cycle->actions[maker->cycle->count++];

    act(maker, action, what);
    return action;
}

static SoakAction *say_tls(Maker *maker, SoakSay say, SoakHear what)
{
    SoakAction *action = hear(maker, what);

    action->say = say;
    return action;
}

/* False if STEP is none of TLS's. */
static bool make_tls(Maker *maker, SoakStep step)
{
    switch (step) {
    case STEP_NO_HELLO:
        maker_add(maker, NO_HELLO, strlen(NO_HELLO));
        return true;
    case STEP_HELLO_CUT:
    case STEP_HELLO:
        say_tls(maker, SAY_HELLO, HEAR_NOTHING)->half = step == STEP_HELLO_CUT;
        return true;
    case STEP_FINISH_CUT:
        say_tls(maker, SAY_HELLO, HEAR_LAST_FLIGHT);
        say_tls(maker, SAY_FLIGHT, HEAR_NOTHING)->half = true;
        return true;
    case STEP_SECURE:
        maker_add_option(maker, NBD_OPT_STARTTLS, 0);
        hear(maker, HEAR_ACK);
        say_tls(maker, SAY_HELLO, HEAR_TLS);
        return true;
    case STEP_RECORDS_CUT:
        hear(maker, HEAR_NOTHING)->half = true;
        return true;
    default:
        return false;
    }
}

static void make_enter(Maker *maker)
{
    maker_add_entry(maker);
    hear(maker, maker->cycle->style == STYLE_FIXED_NEWSTYLE ? HEAR_ENTRY : HEAR_EXPORT);
}

/* False if STEP is none of the handshake's. */
static bool make_handshake(Maker *maker, SoakStep step)
{
    const char *name = maker->target->export_name != NULL ? maker->target->export_name : "";
    guint from = maker->cycle->bytes->len;
    guint header = (guint)wire_layout(WIRE_OPTION)->size;

    switch (step) {
    case STEP_FLAGS_CUT:
    case STEP_FLAGS:
        maker_add_number(maker, 4,
                         maker->target->facts.handshake_flags &
                             (NBD_FLAG_C_FIXED_NEWSTYLE | NBD_FLAG_C_NO_ZEROES));
        if (step == STEP_FLAGS_CUT)
            maker_cut(maker, from, 2);
        return true;
    case STEP_OPTION_HEADER_CUT:
        maker_add_entry(maker);
        maker_cut(maker, from, 10);
        return true;
    case STEP_OPTION_DATA_CUT:
        maker_add_entry(maker);
        maker_cut(maker, from, header + (maker->cycle->bytes->len - from - header) / 2);
        return true;
    case STEP_OPTION:
        maker_add_entry(maker);
        return true;
    case STEP_NAME:
        maker_add_export_name(maker, name);
        return true;
    case STEP_LIST:
        maker_add_option(maker, NBD_OPT_LIST, 0);
        return true;
    case STEP_UNKNOWN_OPTION:
        maker_add_option(maker, UNKNOWN_OPTION, 0);
        return true;
    case STEP_INFO:
        maker_add_info(maker, NBD_OPT_INFO, name);
        return true;
    case STEP_STRANGE_GO:
        maker_add_info(maker, NBD_OPT_GO, STRANGE_NAME);
        return true;
    case STEP_STRANGE_NAME:
        maker_add_export_name(maker, STRANGE_NAME);
        return true;
    case STEP_ABORT:
        maker_add_option(maker, NBD_OPT_ABORT, 0);
        return true;
    case STEP_STARTTLS_CUT:
    case STEP_STARTTLS:
        maker_add_option(maker, NBD_OPT_STARTTLS, 0);
        if (step == STEP_STARTTLS_CUT)
            maker_cut(maker, from, 10);
        return true;
    case STEP_STRUCTURED:
        maker_add_option(maker, NBD_OPT_STRUCTURED_REPLY, 0);
        hear(maker, HEAR_ACK);
        return true;
    case STEP_ENTER:
        make_enter(maker);
        return true;
    default:
        return make_tls(maker, step);
    }
}

/* Behind the end, and aligned. */
static uint64_t beyond(const SessionFacts *facts)
{
    uint64_t unit = MAX(facts->minimum, 1);

    return (facts->size + unit - 1) / unit * unit;
}

/* Where all of a long reply is taken in the end, a small buffer would only cost time. */
static bool waits_for_close(SoakEnding ending)
{
    return ending == ENDING_SOFT || ending == ENDING_HALF;
}

/* Says what STEP is for, if it is one of the requests. */
static void make_request(Maker *maker, SoakStep step)
{
    const SessionFacts *facts = &maker->target->facts;
    uint32_t block = soak_request_length(facts, SOAK_PART);
    uint32_t length = soak_request_length(facts, REQUEST_BYTES);
    guint from = maker->cycle->bytes->len;
    guint header = (guint)wire_layout(WIRE_REQUEST)->size;

    switch (step) {
    case STEP_REQUEST_CUT:
        maker_add_request(maker, NBD_CMD_READ, 0, block);
        maker_cut(maker, from, header / 2);
        break;
    case STEP_WRITE_CUT:
        maker_add_request(maker, NBD_CMD_WRITE, 0, length);
        maker_cut(maker, from, header + length / 2);
        break;
    case STEP_READ:
        maker_add_request(maker, NBD_CMD_READ, 0, block);
        break;
    case STEP_READS:
    case STEP_WRITES:
        for (unsigned i = 0; i < SEVERAL; i++)
            maker_add_request(maker, step == STEP_READS ? NBD_CMD_READ : NBD_CMD_WRITE, 0, length);
        break;
    case STEP_LONG_READ:
        maker_add_request(maker, NBD_CMD_READ, 0, soak_request_length(facts, LONG_BYTES));
        maker->cycle->narrow = !waits_for_close(maker->cycle->point.ending);
        break;
    case STEP_READ_BEYOND:
        maker_add_request(maker, NBD_CMD_READ, beyond(facts), block);
        break;
    case STEP_WRITE:
        maker_add_request(maker, NBD_CMD_WRITE, 0, block);
        break;
    case STEP_FLUSH:
        maker_add_request(maker, NBD_CMD_FLUSH, 0, 0);
        break;
    case STEP_TRIM:
        maker_add_request(maker, NBD_CMD_TRIM, 0, length);
        break;
    case STEP_WRITE_ZEROES:
        maker_add_request(maker, NBD_CMD_WRITE_ZEROES, 0, length);
        break;
    case STEP_CACHE:
        maker_add_request(maker, NBD_CMD_CACHE, 0, length);
        break;
    case STEP_DISC:
        maker_add_request(maker, NBD_CMD_DISC, 0, 0);
        break;
    default:
        break;
    }
}

/* Hears what STEP listens for, if it is one of those. BEFORE is the step before it. */
static void make_hearing(Maker *maker, SoakStep step, SoakStep before)
{
    SoakAction *action;

    switch (step) {
    case STEP_GREETED:
        hear(maker, HEAR_SOMETHING);
        break;
    case STEP_ANSWERED:
        hear(maker, HEAR_SOMETHING)->or_end = true;
        break;
    case STEP_ACK:
        hear(maker, HEAR_ACK);
        break;
    case STEP_GREETING:
        hear(maker, HEAR_GREETING);
        break;
    case STEP_REPLIES:
        hear(maker, HEAR_FINAL_REPLY)->or_end = true;
        break;
    case STEP_EXPORT:
        action = hear(maker, HEAR_EXPORT);
        action->or_end = before == STEP_STRANGE_NAME || maker->cycle->style == STYLE_FIXED_NEWSTYLE;
        break;
    case STEP_REPLY:
        action = hear(maker, HEAR_REPLY);
        action->or_end = before == STEP_READ_BEYOND;
        action->payload =
            before == STEP_WRITE ? 0 : soak_request_length(&maker->target->facts, SOAK_PART);
        break;
    case STEP_PART_OF_REPLY:
        action = hear(maker, HEAR_PART);
        action->payload = MIN(soak_request_length(&maker->target->facts, LONG_BYTES), SOAK_PART);
        break;
    case STEP_CHUNK:
        hear(maker, HEAR_CHUNK)->payload = UINT32_MAX;
        break;
    case STEP_PART_OF_CHUNK:
        hear(maker, HEAR_CHUNK)->payload = SOAK_PART;
        break;
    default:
        break;
    }
}

static void make_step(Maker *maker, SoakStep step, SoakStep before)
{
    if (!make_handshake(maker, step)) {
        make_request(maker, step);
        make_hearing(maker, step, before);
    }
}

static void make_steps(Maker *maker, const SoakPhaseDetail *detail)
{
    const SoakStep *steps = detail->steps;
    bool oldstyle = maker->cycle->style == STYLE_OLDSTYLE;

    for (unsigned i = 0; i < SOAK_MAX_STEPS && steps[i] != STEP_NONE; i++) {
        if (oldstyle && (steps[i] == STEP_FLAGS || steps[i] == STEP_ENTER))
            continue;
        make_step(maker, steps[i], i > 0 ? steps[i - 1] : STEP_NONE);
        if (steps[i] == STEP_FLAGS)
            make_step(maker, soak_step_into_tls(detail, maker->target), STEP_NONE);
    }
    if (maker->said > 0)
        hear(maker, HEAR_NOTHING);
}

/* The actions that are not a phase's own. */
static void make_others(Maker *maker)
{
    SoakCycle *cycle = maker->cycle;

    maker_add_export_name(maker,
                          maker->target->export_name != NULL ? maker->target->export_name : "");
    act(maker, &cycle->by_name, HEAR_EXPORT);
    maker_add_option(maker, NBD_OPT_ABORT, 0);
    act(maker, &cycle->abort, HEAR_FINAL_REPLY);
    maker_add_request(maker, NBD_CMD_DISC, 0, 0);
    act(maker, &cycle->disc, HEAR_NOTHING);
}

SoakCycle *soak_cycle_new(const SoakPoint *point, const SoakTarget *target)
{
    const SoakPhaseDetail *detail = soak_phase_detail(point->phase);
    SoakCycle *cycle = g_new0(SoakCycle, 1);
    Maker maker = {.cycle = cycle, .target = target};

    cycle->point = *point;
    cycle->address = target->address;
    cycle->tls = target->tls;
    cycle->ends_in_tls = soak_ends_in_tls(detail, target);
    cycle->style = target->facts.style;
    cycle->no_zeroes = (target->facts.handshake_flags & NBD_FLAG_NO_ZEROES) != 0;
    cycle->timeout_ms = target->timeout_ms;
    cycle->stop = target->stop;
    cycle->ghosts = MIN(target->at_once / 2, SOAK_MOST_GHOSTS);
    cycle->overlaps = target->at_once >= 2;
    cycle->hasty = detail->steps[0] == STEP_NONE;
    cycle->bytes = g_byte_array_new();
    make_steps(&maker, detail);
    make_others(&maker);
    return cycle;
}

SoakCycle *soak_cycle_control(const SoakTarget *target)
{
    const char *const names[] = {"after-reply", "after-go", "after-export-name"};
    SoakPoint point = {.ending = ENDING_SOFT};

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        point.phase = soak_phase(names[i]);
        if (soak_point_unfit(&point, target) == NULL)
            return soak_cycle_new(&point, target);
    }
    /* oldstyle: in transmission from there on */
    point.phase = soak_phase("after-greeting");
    return soak_cycle_new(&point, target);
}

void soak_cycle_free(SoakCycle *cycle)
{
    if (cycle == NULL)
        return;
    g_byte_array_unref(cycle->bytes);
    g_free(cycle);
}
