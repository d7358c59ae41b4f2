/* SPDX-License-Identifier: MIT */
/* The tests, named so that the name says what must hold. */
#ifndef IOLAB_CONFORMANCE_TESTS_H
#define IOLAB_CONFORMANCE_TESTS_H

struct subject;

void file_read_right_data(struct subject *s);
void file_write_right_data(struct subject *s);
void file_read_across_end(struct subject *s);
void file_sync(struct subject *s);
void file_bad_descriptor(struct subject *s);
void file_write_to_read_only(struct subject *s);
void file_bad_offset(struct subject *s);
void file_misaligned_direct(struct subject *s);
void file_fills_its_depth(struct subject *s);
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
void socket_both_directions_at_once(struct subject *s);
void stream_finds_the_active_one(struct subject *s);
void stream_cancel(struct subject *s);
void cancel_with_nothing_in_flight(struct subject *s);
void stream_slot_is_used_again(struct subject *s);
void stream_stays_blocking(struct subject *s);
void stream_signal_ends_the_wait(struct subject *s);
void stream_keeps_its_timeout(struct subject *s);
void stream_survives_signals(struct subject *s);

#endif
