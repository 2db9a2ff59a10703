"""Floor 6: the course's exercises, done on cynet: holes to fill, a check that says where one is wrong, times,
curves.

Design: a student's file is code of somebody's own, so it runs in a child process alone, with limits
(`process.py`, `child.py`); what it computes is compared here, with float64 twins. An exercise is data
(`exercises/`): its holes, what they take and give, their twins, and the mistakes that people make, each as a
twin that makes it: what a student's function computes is recognised by its numbers, and so the hint is about
what was really done. This is no jail: code that means harm can do it.
"""
