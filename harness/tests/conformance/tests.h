/* SPDX-License-Identifier: MIT */
/* The tests, named so that the name says what must hold. */
#ifndef IOLAB_CONFORMANCE_TESTS_H
#define IOLAB_CONFORMANCE_TESTS_H

#include "conformance.h"

/* All tests of the contract, in contract_tests.c. */
#define CONTRACT_TESTS_MAX 200
extern const struct test contract_tests[];
extern const unsigned contract_test_count;

void open_without_memory(struct subject *s);
void supports_or_says_why(struct subject *s);

void file_read_right_data(struct subject *s);
void file_write_right_data(struct subject *s);
void file_read_across_end(struct subject *s);
void file_sync(struct subject *s);
void file_sync_waits_for_nobody(struct subject *s);
void file_bad_descriptor(struct subject *s);
void file_write_to_read_only(struct subject *s);
void file_bad_offset(struct subject *s);
void file_misaligned_direct(struct subject *s);
void file_fills_its_depth(struct subject *s);
void blocking_submit_is_over_at_its_end(struct subject *s);
void file_cancel(struct subject *s);
void reap_keeps_min_and_max(struct subject *s);
void opens_and_closes_again(struct subject *s);
void nop_completes(struct subject *s);

void stream_receives_what_is_there(struct subject *s);
void stream_receives_in_full_buffers(struct subject *s);
void stream_sends_right_data(struct subject *s);
void stream_end_of_file(struct subject *s);
void stream_end_while_waiting(struct subject *s);
void stream_waits_without_touching(struct subject *s);
void stream_sleeps_while_waiting(struct subject *s);
void stream_survives_a_full_buffer(struct subject *s);
void stream_send_to_nobody(struct subject *s);
void tcp_reset(struct subject *s);
void tcp_reset_before_a_send(struct subject *s);
void tcp_reset_while_a_send_waits(struct subject *s);
void socket_both_directions_at_once(struct subject *s);
void stream_finds_the_active_one(struct subject *s);
void stream_cancel(struct subject *s);
void cancel_with_nothing_in_flight(struct subject *s);
void stream_slot_is_used_again(struct subject *s);
void stream_detached_unused(struct subject *s);
void stream_stays_blocking(struct subject *s);
void stream_signal_ends_the_wait(struct subject *s);
void stream_keeps_its_timeout(struct subject *s);
void stream_survives_signals(struct subject *s);
void socket_begins_behind_a_backlog(struct subject *s);

/* number_tests.c */
void file_offsets_beyond_4_gib(struct subject *s);
void file_lengths_beyond_64_kib(struct subject *s);
void file_lengths_beyond_2_gib(struct subject *s);
void file_zero_bytes(struct subject *s);
void file_zero_bytes_that_fail(struct subject *s);
void file_write_up_to_a_limit(struct subject *s);
void stream_zero_bytes(struct subject *s);
void stream_waits_for_as_many_as_asked(struct subject *s);
void stream_counts_what_is_there_once(struct subject *s);
void stream_counts_what_was_left(struct subject *s);
void reap_keeps_a_large_min(struct subject *s);
void reap_of_nothing_loses_nothing(struct subject *s);
void file_survives_many_operations(struct subject *s);
void stream_survives_many_operations(struct subject *s);
void stream_waits_less_than_a_millisecond(struct subject *s);
void stream_waits_for_ever(struct subject *s);
void stream_comes_back_one_by_one(struct subject *s);
void stream_slot_beyond_65535(struct subject *s);
void stream_waits_for_seconds(struct subject *s);
void stream_survives_many_signals_in_a_row(struct subject *s);
void stream_finds_many_ready_at_once(struct subject *s);

/* state_tests.c */
void two_engines_on_files(struct subject *s);
void two_engines_on_streams(struct subject *s);
void two_engines_in_two_threads(struct subject *s);
void stream_number_moves_to_another_slot(struct subject *s);
void stream_slot_takes_another_number(struct subject *s);
void descriptor_0_is_served(struct subject *s);
void descriptors_are_not_inherited(struct subject *s);
void failures_leave_nothing_behind(struct subject *s);
void result_is_all_that_is_written(struct subject *s);
void result_of_a_failure_is_all_that_is_written(struct subject *s);
void next_is_the_holders(struct subject *s);

/* ending_tests.c */
void stream_cancel_in_scattered_slots(struct subject *s);
void cancel_leaves_what_is_back(struct subject *s);
void stream_cancel_of_sends(struct subject *s);
void file_cancel_then_silence(struct subject *s);
void stream_stays_whole_after_the_end(struct subject *s);
void file_stays_whole_after_the_end(struct subject *s);
void socket_options_stay(struct subject *s);
void no_allocation_after_open(struct subject *s);
void close_leaves_nothing_mapped(struct subject *s);
void signals_are_left_to_the_caller(struct subject *s);
void signals_stay_as_they_were(struct subject *s);
void stream_cancel_with_all_signals_blocked(struct subject *s);

/* trouble_tests.c */
void socket_peer_that_stopped_sending_hears(struct subject *s);
void socket_peer_that_stopped_sending_makes_room(struct subject *s);
void stream_bytes_before_the_hang_up(struct subject *s);
void tcp_error_behind_bytes(struct subject *s);
void tcp_sends_are_on_their_way(struct subject *s);
void file_sync_that_fails(struct subject *s);
void stream_send_survives_signals(struct subject *s);
void stream_batch_is_in_flight_at_once(struct subject *s);
void stream_stays_asleep(struct subject *s);
void socket_receive_timeout_is_an_error(struct subject *s);
void stream_blocked_signals_wait(struct subject *s);
void stream_one_signal_ends_a_wait_for_two(struct subject *s);
void stream_signal_that_restarts_ends_the_wait(struct subject *s);
void stream_signal_ends_a_wait_after_a_cancel(struct subject *s);
void stream_far_limit_beside_a_cancel(struct subject *s);

/* honesty_tests.c */
void file_writes_stay_honest(struct subject *s);
void file_syncs_stay_honest(struct subject *s);
void stream_sends_stay_honest(struct subject *s);
void option_is_no_mere_label(struct subject *s);

/* connection_tests.c */
void accept_takes_who_waits(struct subject *s);
void accept_leaves_who_comes_unasked(struct subject *s);
void accept_ends_with_the_engine(struct subject *s);
void accept_waits_for_a_client(struct subject *s);
void accept_false_alarm_goes_on_waiting(struct subject *s);
void accept_of_a_client_that_has_gone(struct subject *s);
void accept_returns_descriptor_0(struct subject *s);
void accept_without_a_free_number(struct subject *s);
void accept_on_no_listener(struct subject *s);
void accept_is_called_back(struct subject *s);
void accept_called_back_loses_no_client(struct subject *s);
void connect_reaches_a_listener(struct subject *s);
void connect_to_nobody(struct subject *s);
void connect_waits_and_is_called_back(struct subject *s);
void connect_that_is_refused_stops_nobody(struct subject *s);
void connection_failing_calls(struct subject *s);

/* cancel_one_tests.c */
void cancel_one_leaves_the_others(struct subject *s);
void cancel_one_finds_what_is_left(struct subject *s);
void cancel_one_leaves_the_other_direction(struct subject *s);
void cancel_one_leaves_the_descriptor_whole(struct subject *s);
void cancel_one_leaves_the_slot_whole(struct subject *s);
void cancel_one_leaves_no_trace(struct subject *s);
void cancel_one_loses_no_byte(struct subject *s);
void cancel_one_meets_the_beginning(struct subject *s);
void cancel_one_comes_too_late(struct subject *s);
void socket_false_alarm_meets_a_cancel(struct subject *s);
void cancel_one_of_a_send(struct subject *s);
void cancel_one_of_a_short_send(struct subject *s);
void cancel_one_of_a_send_that_fits(struct subject *s);
void cancel_one_of_a_file(struct subject *s);
void cancel_one_too_late_ends_no_wait(struct subject *s);

/* lent_buffer_tests.c */
void lent_buffer_holds_what_came(struct subject *s);
void lent_buffer_is_the_callers(struct subject *s);
void lent_buffer_may_be_received_into(struct subject *s);
void lent_buffers_wait_for_none(struct subject *s);
void lent_buffers_are_short(struct subject *s);
void lent_buffer_for_bytes_only(struct subject *s);
void lent_buffers_take_the_length(struct subject *s);
void lent_buffers_and_others(struct subject *s);
void lent_buffers_allocate_nothing(struct subject *s);
void lent_buffers_or_a_reason(struct subject *s);
void lent_buffer_serves_at_once(struct subject *s);
void lent_buffers_refused_leave_nothing(struct subject *s);

/* fault_tests.c */
void failing_calls_of_opening(struct subject *s);
void file_failing_calls(struct subject *s);
void stream_failing_calls(struct subject *s);
void socket_false_alarm_is_no_result(struct subject *s);
void socket_false_alarm_begins_no_new_limit(struct subject *s);
void stream_no_room_is_no_result(struct subject *s);

#endif
