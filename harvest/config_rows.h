/* SPDX-License-Identifier: MIT */
/* config_rows: what the two files of the configuration share and nobody else needs. */
#pragma once

#include "harvest/config.h"

struct opt_set config_set(const struct config *config);
struct opt_set config_teacher_set(const struct teacher_conf *teacher);

/* Nothing set; owns its sources. */
void config_teacher_init(struct teacher_conf *teacher);

/* --config, or harvest.yaml. */
const char *config_file_name(const struct config *config);
