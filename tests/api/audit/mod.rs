mod activity;
mod events;
mod seals;
