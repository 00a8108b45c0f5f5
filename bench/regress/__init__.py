"""Did a change make stepping slower? Two sides, launched again and again, judged by phase."""
