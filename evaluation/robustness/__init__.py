"""Does a small change of wording change the answer when it must not, and only when it must?

Behavioural tests in the sense of CheckList: M. T. Ribeiro, T. Wu, C. Guestrin, S. Singh, "Beyond Accuracy: Behavioral
Testing of NLP Models with CheckList", ACL 2020. Invariance tests perturb the pack's own test messages in ways that leave
their label as it is (``perturbations``, ``invariance``). Directional and minimum-function tests are written by hand in
the pack's ``robustness.yaml`` (``cases``, ``trials``). ``examine`` asks the engine and counts.
"""
