drop table written_off_sequences;
