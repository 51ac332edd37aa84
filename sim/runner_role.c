#include "sim/runner_in.h"

#include "base/bits.h"

/* ---- sets ---- */

uint32_t guest_set_next(const struct guest_set *set, uint32_t from)
{
    while (from < GUEST_PROCESS_MAX) {
        uint64_t rest = set->bits[from / 64] >> (from % 64);

        if (rest != 0) {
            return from + (uint32_t)__builtin_ctzll(rest);
        }
        from = (from / 64 + 1) * 64;
    }
    return SIM_NONE;
}

uint32_t guest_set_count(const struct guest_set *set)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < GUEST_PROCESS_MAX / 64; i++) {
        count += bits_count(set->bits[i]);
    }
    return count;
}

static void set_join(struct guest_set *set, const struct guest_set *other)
{
    for (uint32_t i = 0; i < GUEST_PROCESS_MAX / 64; i++) {
        set->bits[i] |= other->bits[i];
    }
}

void guest_servers(const struct guest_run *run, struct guest_set *set)
{
    const struct run *whole = (const struct run *)(const void *)run;

    *set = (struct guest_set){0};
    for (uint32_t i = 0; i < whole->server_count; i++) {
        guest_set_add(set, i);
    }
}

void guest_clients(const struct guest_run *run, struct guest_set *set)
{
    const struct run *whole = (const struct run *)(const void *)run;

    *set = (struct guest_set){0};
    for (uint32_t i = 0; i < whole->client_count; i++) {
        if (whole->client_process[i] != SIM_NONE) {
            guest_set_add(set, whole->client_process[i]);
        }
    }
}

bool guest_is_client(const struct guest_run *run, uint32_t process)
{
    const struct run *whole = (const struct run *)(const void *)run;

    return process < whole->process_count && whole->process_client[process];
}

/* ---- roles ---- */

static void resolve_name(struct run *run, uint32_t name, struct guest_set *set)
{
    const struct scn_name *found = &run->scenario->names[name];

    switch (found->kind) {
    case SCN_NAME_SERVER:
        guest_set_add(set, found->index);
        return;
    case SCN_NAME_CLIENT:
        if (run->client_process[found->index] != SIM_NONE) {
            guest_set_add(set, run->client_process[found->index]);
        }
        return;
    case SCN_NAME_BOUND:
        if (run->bound[name] != SIM_NONE) {
            guest_set_add(set, run->bound[name]);
        }
        return;
    case SCN_NAME_OP:
    case SCN_NAME_LOST:
        return;
    }
}

static void resolve_rest(struct run *run, const struct run_where *where,
                         const struct guest_set *named, struct guest_set *set)
{
    for (uint32_t i = 0; i < run->server_count; i++) {
        if ((named == NULL || !guest_set_has(named, i)) && i != where->self && i != where->peer) {
            guest_set_add(set, i);
        }
    }
}

static void resolve_one(struct run *run, const struct scn_role *role, const struct run_where *where,
                        const struct guest_set *named, struct guest_set *set)
{
    struct guest_set more = {0};

    switch (role->kind) {
    case SCN_ROLE_NAME:
        resolve_name(run, role->index, set);
        return;
    case SCN_ROLE_GUEST:
        run->scenario->guest->roles[role->index].resolve(&run->face, role->number, &more);
        break;
    case SCN_ROLE_ALL:
        guest_servers(&run->face, &more);
        break;
    case SCN_ROLE_CLIENTS:
        guest_clients(&run->face, &more);
        break;
    case SCN_ROLE_EVERYONE:
    case SCN_ROLE_ANY:
        for (uint32_t i = 0; i < run->process_count; i++) {
            guest_set_add(&more, i);
        }
        break;
    case SCN_ROLE_REST:
        resolve_rest(run, where, named, &more);
        break;
    case SCN_ROLE_SELF:
        guest_set_add(&more, where->self);
        break;
    case SCN_ROLE_PEER:
        guest_set_add(&more, where->peer);
        break;
    }
    set_join(set, &more);
}

void run_resolve(struct run *run, const struct scn_roles *roles, const struct run_where *where,
                 struct guest_set *named, struct guest_set *set)
{
    *set = (struct guest_set){0};
    for (uint32_t i = 0; i < roles->count; i++) {
        resolve_one(run, &roles->at[i], where, named, set);
    }
    if (named != NULL) {
        set_join(named, set);
    }
}

bool run_in(struct run *run, const struct scn_roles *roles, const struct run_where *where,
            uint32_t process)
{
    struct guest_set set;

    if (roles->count == 1) { /* the usual ones without a set */
        const struct scn_role *role = &roles->at[0];

        if (role->kind == SCN_ROLE_ANY || role->kind == SCN_ROLE_EVERYONE) {
            return process != SIM_NONE;
        }
        if (role->kind == SCN_ROLE_NAME &&
            run->scenario->names[role->index].kind == SCN_NAME_BOUND) {
            return process != SIM_NONE && run->bound[role->index] == process;
        }
    }
    run_resolve(run, roles, where, NULL, &set);
    return guest_set_has(&set, process);
}

void run_set_text(const struct run *run, const struct guest_set *set, struct text *text)
{
    bool first = true;

    for (uint32_t p = guest_set_next(set, 0); p != SIM_NONE; p = guest_set_next(set, p + 1)) {
        text_str(text, first ? "" : ", ");
        text_str(text, run_process_name(run, p));
        first = false;
    }
}

/* ---- values ---- */

static bool has_round(struct span text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.at[i] == '$' && text.at[i + 1] == 'n') {
            return true;
        }
    }
    return false;
}

/* The text with each $n replaced. */
struct span run_with_round(struct run *run, struct span text, uint64_t round)
{
    struct bytes out;
    char room[24];
    struct text number;

    if (round == 0 || !has_round(text)) {
        return text;
    }
    text_init(&number, room, sizeof(room));
    text_u64(&number, round);
    bytes_init(&out, &run->pile.mem);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '$' && i + 1 < text.len && text.at[i + 1] == 'n') {
            bytes_raw(&out, room, number.len);
            i++;
        } else {
            bytes_u8(&out, text.at[i]);
        }
    }
    return out.failed ? text : bytes_span(&out);
}

void run_values(struct run *run, const struct guest_param *params, uint32_t count,
                const struct scn_arg *args, const struct run_where *where,
                struct guest_value *values)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct scn_arg *arg = &args[i];
        struct guest_value *value = &values[i];

        value->given = arg->given;
        value->number = arg->number;
        value->number_high = arg->number_high;
        value->text = arg->text;
        value->op = NULL;
        if (!arg->given) {
            continue;
        }
        if (params[i].kind == GUEST_ROLE) {
            run_resolve(run, &arg->roles, where, NULL, &value->set);
        } else if (params[i].kind == GUEST_OP) {
            value->op = run->bound_op[arg->name];
        } else if (params[i].kind == GUEST_TEXT || params[i].kind == GUEST_WORD) {
            value->text = run_with_round(run, arg->text, where->round);
        }
    }
}
