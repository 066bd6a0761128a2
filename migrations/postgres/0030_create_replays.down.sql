drop table replays;
