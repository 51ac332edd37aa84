#include "protocol/config_rules.h"

void config_resolve(struct config *config)
{
    if (config->min_session_ms == -1) {
        config->min_session_ms = 2 * config->tick_ms;
    }
    if (config->max_session_ms == -1) {
        config->max_session_ms = 20 * config->tick_ms;
    }
    if (config->connect_ticks == 0) {
        config->connect_ticks = config->init_ticks;
    }
    if (config->frame_extra == -1) {
        config->frame_extra = config->frame_max;
    }
    if (config->frame_extra < 1024) {
        config->frame_extra = 1024;
    }
    if (config->write_queue_poll_ms == -1) {
        config->write_queue_poll_ms = config->flush_delay_ms / 3;
    }
    if (config->purge_retain < 3) {
        config->purge_retain = 3;
    }
    if (config->notification_max_ms < config->notification_min_ms) {
        config->notification_max_ms = config->notification_min_ms;
    }
    if (config->log_dir.len == 0) {
        config->log_dir = config->data_dir;
    }
    config->standalone = !config->has_membership ||
                         (config->standalone_enabled && config->membership.voter_count <= 1);
}

enum err config_complain(struct config_error *error, enum err err, const char *key, const char *why)
{
    config_error_set(error, 0, span_text(key), why, span_make(NULL, 0));
    return err;
}

enum err config_check_pairs(const struct config *config, struct config_error *error)
{
    if (config->data_dir.len == 0 && config->own_id < 0) {
        return config_complain(error, ERR_MISSING, "dataDir", "is not set");
    }
    if (config->client_port == 0 && config->client_address.len > 0) {
        return config_complain(error, ERR_MISSING, "clientPort",
                               "is not set, but clientPortAddress is");
    }
    if (config->secure_client_port == 0 && config->secure_client_address.len > 0) {
        return config_complain(error, ERR_MISSING, "secureClientPort",
                               "is not set, but secureClientPortAddress is");
    }
    if (config->min_session_ms > config->max_session_ms) {
        return config_complain(error, ERR_RANGE, "minSessionTimeout",
                               "is larger than maxSessionTimeout");
    }
    if (config->enforce_auth && config->enforced_auth_schemes.len == 0) {
        return config_complain(error, ERR_MISSING, "enforce.auth.schemes",
                               "is not set, but enforce.auth.enabled is");
    }
    if (config->sasl_server_required && !config->sasl_learner_required) {
        return config_complain(error, ERR_FORMAT, "quorum.auth.learnerRequireSasl",
                               "must be true when servers require it");
    }
    if (config->sasl_learner_required && !config->sasl_enabled) {
        return config_complain(error, ERR_FORMAT, "quorum.auth.enableSasl",
                               "must be true when learners require it");
    }
    return ERR_OK;
}

enum err config_check_membership(const struct config *config, struct config_error *error)
{
    const struct membership *membership = &config->membership;
    bool has_observers = membership->count > membership->voter_count;

    if (!config->has_membership) {
        return config->standalone_enabled || config->dynamic_file.len > 0
                   ? ERR_OK
                   : config_complain(error, ERR_MISSING, "standaloneEnabled",
                                     "is false, but there is no server line");
    }
    if (membership->voter_count == 0) {
        return config_complain(error, ERR_FORMAT, "server", "there are no participants");
    }
    if (config->standalone && has_observers) {
        return config_complain(error, ERR_FORMAT, "server",
                               "one participant with observers is no ensemble");
    }
    for (uint32_t i = 0; i < membership->count; i++) {
        if (membership->members[i].address_count > 1 && !config->multi_address) {
            config_error_set(error, 0, span_text("server"),
                             "several addresses need multiAddress.enabled",
                             membership->members[i].line);
            return ERR_FORMAT;
        }
        if (config->extended_types && membership->members[i].sid > 254) {
            return config_complain(error, ERR_RANGE, "extendedTypesEnabled",
                                   "needs server ids up to 254");
        }
    }
    return ERR_OK;
}

enum err config_check(const struct config *config, struct config_error *error)
{
    if (config->standalone) {
        return ERR_OK;
    }
    if (config->init_ticks == 0) {
        return config_complain(error, ERR_MISSING, "initLimit", "is not set");
    }
    if (config->sync_ticks == 0) {
        return config_complain(error, ERR_MISSING, "syncLimit", "is not set");
    }
    if (config->own_id < 0) {
        return config_complain(error, ERR_MISSING, "myid", "is not set");
    }
    if (membership_find(&config->membership, config->own_id) == NULL) {
        return config_complain(error, ERR_MISSING, "myid", "is in no server line");
    }
    return ERR_OK;
}
