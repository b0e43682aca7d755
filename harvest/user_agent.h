/* SPDX-License-Identifier: MIT */
/* user_agent: who we say we are, which is who we are. */
#pragma once

#define USER_AGENT "harvest/" PACKAGE_VERSION
